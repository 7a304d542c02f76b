package annotation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"github.com/google/uuid"
)

// SessionIDs makes the ids of sessions, and recognises those that it has made, without storing them. An id is a UUID of version 8
// (RFC 9562): 74 random bits, and 48 bits of their HMAC. Processes with the same key recognise the ids of each other.
type SessionIDs struct{ key []byte }

// macBytes is the length of the HMAC in an id. A forged id is right one time in 2^48.
const macBytes = 6

// NewSessionIDs derives a separate key from the key of the tokens.
func NewSessionIDs(tokenKey []byte) *SessionIDs {
	mac := hmac.New(sha256.New, tokenKey)
	mac.Write([]byte("docket: key of the ids of sessions"))
	return &SessionIDs{mac.Sum(nil)}
}

// WithSessionIDs has a Service make the ids of its sessions with a key. Without it, only this Service recognises them.
func WithSessionIDs(ids *SessionIDs) Option { return func(s *Service) { s.ids = ids } }

// randomSessionIDs returns SessionIDs with a key that is known to nothing else.
func randomSessionIDs() *SessionIDs { return NewSessionIDs([]byte(rand.Text())) }

// New returns the id of a new session.
func (ids *SessionIDs) New() Session {
	session := uuid.New()
	session[6] = session[6]&0x0f | 0x80 // the version; New has set the variant
	copy(session[:macBytes], ids.mac(session))
	return session
}

// Issued reports whether New has returned the id, in any process with the same key. Other ids can be used too: those of sessions
// that are older, or that a client has made up.
func (ids *SessionIDs) Issued(session Session) bool {
	return session.Version() == 8 && session.Variant() == uuid.RFC4122 && hmac.Equal(session[:macBytes], ids.mac(session))
}

func (ids *SessionIDs) mac(session Session) []byte {
	mac := hmac.New(sha256.New, ids.key)
	mac.Write(session[macBytes:])
	return slices.Clip(mac.Sum(nil)[:macBytes])
}
