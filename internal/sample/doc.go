// Package sample generates sample data: places, agencies, batches, URLs, the suggestions of robots and the answers of
// annotators, and the facts that follow from them. The distribution is like that of real data where a query depends on it: most
// URLs have no annotation and a few have one of nearly every annotator, a few annotators did most of the work, and one batch
// contains half of all URLs.
//
// The data satisfies the rules of the annotation domain. Answers are what requests would have stored. Validated and suspended
// URLs have the answers that lead to it, and no other URL has.
//
// Play lets simulated annotators continue: they answer the open URLs through the use cases, or through running servers, until they
// agree, and what comes of it is compared with the truth that the generator knows.
//
// The same arguments give the same rows on every machine: the generator uses no clock, no order of a map, and no floating-point
// arithmetic whose rounding depends on the processor.
package sample
