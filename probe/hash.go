package probe

import (
	"crypto/sha256"
	"encoding/hex"
)

func hashOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
