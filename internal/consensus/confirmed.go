package consensus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docket/internal/convert"
	"docket/internal/db"
)

// confirmed is what is stored as confirmed about a URL, by people or by other programs.
type confirmed struct {
	recordType          string // empty if there is none
	agencies, locations []string
}

func confirmedFrom(recordType *db.RecordType, agencyIDs []int32, locationIDs []int64) (c confirmed) {
	if recordType != nil {
		c.recordType = string(*recordType)
	}
	c.agencies = convert.Each(agencyIDs, func(id int32) string { return strconv.Itoa(int(id)) })
	c.locations = convert.Each(locationIDs, func(id int64) string { return strconv.FormatInt(id, 10) })
	return c
}

// against returns what of it contradicts a fact, in words. A confirmed value that the fact does not have contradicts nothing.
func (c confirmed) against(fact Fact) (reasons []string) {
	if fact.RecordType != "" && c.recordType != "" && c.recordType != fact.RecordType {
		reasons = append(reasons, fmt.Sprintf("the confirmed record type is %q, and %q was agreed on", c.recordType, fact.RecordType))
	}
	for _, kind := range []struct {
		name, decided string
		confirmed     []string
	}{{"agencies", fact.Agency, c.agencies}, {"locations", fact.Location, c.locations}} {
		if kind.decided != "" && len(kind.confirmed) > 0 && !slices.Contains(kind.confirmed, kind.decided) {
			reasons = append(reasons, fmt.Sprintf("the confirmed %s are %s, and %s was agreed on",
				kind.name, strings.Join(kind.confirmed, ", "), kind.decided))
		}
	}
	return reasons
}
