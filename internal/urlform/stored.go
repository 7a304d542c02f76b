package urlform

// MaxID is the largest size of an id form in bytes. An index entry must fit into a third of a page, which is a little more.
const MaxID = 2000

// SchemeText returns the scheme, or an empty text when there is none.
func (f Form) SchemeText() string {
	if f.Scheme == nil {
		return ""
	}
	return *f.Scheme
}
