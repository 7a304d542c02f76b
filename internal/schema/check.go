package schema

import "io/fs"

// CheckDirectory checks what is there of a migrations directory as Validate
// does. Whether something is missing, a down file or the statements of a file,
// is not its question.
func CheckDirectory(migrations fs.FS, advice Advice) error {
	_, err := readDirectory(migrations, advice)
	return err
}
