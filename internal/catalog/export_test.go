package catalog

// Refusals lets a test compare the names in refusals with the schema.
var Refusals = refusals
