// Package submissions owns the URLs that people submit, one by one or in batches, the lists of URLs and batches, and the
// deletion of URLs. What a submitter states is stored as a suggestion, never as a fact. The exception is a batch entered by
// hand, whose record types are final.
package submissions
