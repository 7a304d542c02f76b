package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"docket/internal/annotation"
)

// addReserveFlags adds the flags that say how URLs are reserved.
func addReserveFlags(flags *pflag.FlagSet, policy *annotation.ReservePolicy) {
	flags.DurationVar(&policy.For, "reserve", 10*time.Minute,
		"how long a URL is reserved for the annotator who is offered it; 0 means that all are offered the same URLs")
	flags.Int32Var(&policy.Overlap, "overlap", 0,
		"how many annotators may have a URL reserved at a time; 0 means as many as it needs answers")
	flags.StringVar((*string)(&policy.WhenAllReserved), "when-all-reserved", string(annotation.Share),
		"what an annotator is offered when others have reserved all URLs: share, the one that fewest have, or wait, none")
}

func checkReserve(reserve annotation.ReservePolicy) error {
	switch {
	case reserve.For < 0 || reserve.For > 0 && reserve.For < time.Second:
		return usageError{fmt.Errorf("--reserve: %s is neither 0 nor a second or more", reserve.For)}
	case reserve.Overlap < 0:
		return usageError{fmt.Errorf("--overlap: %d is negative", reserve.Overlap)}
	case reserve.WhenAllReserved != annotation.Share && reserve.WhenAllReserved != annotation.Wait:
		return usageError{fmt.Errorf("--when-all-reserved: %q is neither share nor wait", reserve.WhenAllReserved)}
	}
	return nil
}
