package export

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// pseudonyms names users. A user has the same pseudonym in every export. Only the key links it to the id: there are so few ids
// that without a key each could be tried.
type pseudonyms struct{ key []byte }

// newPseudonyms derives a separate key from the key of the tokens. The text that it signs has no dot, so it is no text that an
// issuer of tokens signs, and the derived key is no token's signature.
func newPseudonyms(tokenKey []byte) *pseudonyms {
	mac := hmac.New(sha256.New, tokenKey)
	mac.Write([]byte("docket: key of the pseudonyms in exports"))
	return &pseudonyms{mac.Sum(nil)}
}

func (p *pseudonyms) user(id int32) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(id)))
	return "user-" + letters(mac.Sum(nil))
}

// SessionPseudonym names an anonymous session. The session's id is a secret: a client that knows it can annotate as the session
// and migrate its annotations. The pseudonym needs no key, because there are too many ids to be tried.
func SessionPseudonym(id uuid.UUID) string {
	sum := sha256.Sum256([]byte("docket: anonymous session " + id.String()))
	return "anonymous-" + letters(sum[:])
}

// letters returns enough of a digest to distinguish millions of annotators.
func letters(digest []byte) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(digest[:10]))
}
