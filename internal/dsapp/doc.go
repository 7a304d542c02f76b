// Package dsapp is the client of the data-sources application, from which follows come. It does not store anything.
package dsapp
