package export

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// pseudonyms names users so that the same one has the same name in every export, and nobody without the key can tell who it is:
// there are so few ids that each could be tried, if trying one were possible.
type pseudonyms struct{ key []byte }

// newPseudonyms derives a key of their own from that of the tokens. What it signs to do so has no dot, so that it is not what
// a token's issuer signs, and the result is nobody's signature.
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

// sessionPseudonym names an anonymous session. Its id is never told: whoever has it can answer in its place and take over its
// answers. It needs no key, being too long to be tried.
func sessionPseudonym(id uuid.UUID) string {
	sum := sha256.Sum256([]byte("docket: anonymous session " + id.String()))
	return "anonymous-" + letters(sum[:])
}

// letters are enough of a digest to tell millions apart.
func letters(digest []byte) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(digest[:10]))
}
