// Package origin says from which address an anonymous answer came, without naming the address: by a keyed hash, which differs
// from URL to URL. So answers about one URL can be compared, and the answers of a person cannot be linked.
package origin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// Size is the length of a hash in bytes.
const Size = 16

// Hasher has the key of the hashes. Processes with the same key make the same hashes.
type Hasher struct{ key []byte }

// NewHasher derives a separate key from the key of the tokens.
func NewHasher(tokenKey []byte) *Hasher {
	mac := hmac.New(sha256.New, tokenKey)
	mac.Write([]byte("docket: key of the hashes of addresses"))
	return &Hasher{mac.Sum(nil)}
}

// Origin is the address of a client: an IPv4 address, or the /64 of an IPv6 address. The zero Origin is unknown.
type Origin struct {
	hasher  *Hasher
	address netip.Prefix
}

// Of returns the Origin of an address; the zero Origin for the zero Prefix, or without a Hasher.
func (h *Hasher) Of(address netip.Prefix) Origin {
	if h == nil || !address.IsValid() {
		return Origin{}
	}
	return Origin{hasher: h, address: address}
}

// Hash returns what is stored of the address with an answer about a URL, nil of an unknown one. Only the key links it to the
// address: there are so few addresses that without a key each could be tried.
func (o Origin) Hash(urlID int32) []byte {
	if o.hasher == nil {
		return nil
	}
	mac := hmac.New(sha256.New, o.hasher.key)
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(urlID)))
	mac.Write([]byte(o.address.String()))
	return mac.Sum(nil)[:Size]
}
