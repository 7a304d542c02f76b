// Package agreement measures how well annotators agree with each other and with robots. It owns the queries agreement.sql. It only
// reads.
//
// The coefficients are pure arithmetic on a Table: Measure for any number of raters, Pairs for two at a time. Service loads the
// votes of annotators into tables. docs/decisions/agreement.md says which formulas they are, and how to read the numbers.
package agreement
