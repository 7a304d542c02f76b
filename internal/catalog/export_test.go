package catalog

// Refusals lets a test hold the names in refusals against the schema.
var Refusals = refusals
