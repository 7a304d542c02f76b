package robots

// PartLines is for tests of files with several parts.
const PartLines = partLines
