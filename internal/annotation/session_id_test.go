package annotation_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"docket/internal/annotation"
)

func TestSessionIDs(t *testing.T) {
	t.Parallel()
	ids, same, other := annotation.NewSessionIDs([]byte("key")), annotation.NewSessionIDs([]byte("key")), annotation.NewSessionIDs([]byte("yek"))
	seen := map[annotation.Session]bool{}
	for range 1000 {
		id := ids.New()
		require.False(t, seen[id])
		seen[id] = true
		require.EqualValues(t, 8, id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		require.True(t, ids.Issued(id))
		require.True(t, same.Issued(id), "by another process")
		require.False(t, other.Issued(id))
		require.False(t, ids.Issued(uuid.New()))
	}
	for id := range seen { // each changed bit makes another id
		for bit := range 128 {
			forged := id
			forged[bit/8] ^= 1 << (bit % 8)
			require.False(t, ids.Issued(forged), "bit %d", bit)
		}
		break
	}
}
