package origin_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/origin"
)

func TestHash(t *testing.T) {
	t.Parallel()
	hash := func(key, address string, urlID int32) string {
		return string(origin.NewHasher([]byte(key)).Of(netip.MustParsePrefix(address)).Hash(urlID))
	}
	of := hash("key", "203.0.113.9/32", 1)
	require.Len(t, of, origin.Size)
	require.Equal(t, of, hash("key", "203.0.113.9/32", 1), "in another process")
	for name, other := range map[string]string{
		"key":     hash("other", "203.0.113.9/32", 1),
		"address": hash("key", "203.0.113.8/32", 1),
		"version": hash("key", "2001:db8::/64", 1),
		"URL":     hash("key", "203.0.113.9/32", 2),
	} {
		require.NotEqual(t, of, other, name)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	var none *origin.Hasher
	require.Nil(t, none.Of(netip.MustParsePrefix("203.0.113.9/32")).Hash(1))
	require.Nil(t, origin.NewHasher([]byte("key")).Of(netip.Prefix{}).Hash(1))
	require.Nil(t, origin.Origin{}.Hash(1))
}
