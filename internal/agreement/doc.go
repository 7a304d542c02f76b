// Package agreement measures how well annotators agree with each other and with robots. The coefficients are pure arithmetic; the rest
// loads answers. It only reads.
package agreement
