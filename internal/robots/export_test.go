package robots

// PartLines is for tests of files with several parts.
const PartLines = partLines

// InPartsOf returns the options with another size of the parts.
func (o ImportOptions) InPartsOf(lines int) ImportOptions {
	o.partLines = lines
	return o
}
