package sample

import (
	"strings"

	"docket/internal/db/sampledb"
)

// A beginning and an ending make the name of a place.
var (
	placeBeginnings = []string{
		"Alder", "Ash", "Bell", "Brook", "Cedar", "Clear", "Copper", "Eagle", "Elm", "Fair", "Fox", "Glen", "Green",
		"Hart", "Haw", "Hazel", "Iron", "Kings", "Lake", "Lin", "Maple", "Mill", "North", "Oak", "Pine", "River",
		"Rock", "Sand", "Silver", "Spring", "Stone", "Sun", "Thorn", "Wal", "West", "Win",
	}
	placeEndings = []string{
		"ton", "ville", "field", "brook", "wood", "ford", "dale", "port", "haven", "burg", "ridge", "view", "mont",
		"bury", "ham", "land", "worth", "mere", "crest", "side",
	}
)

// placeNames returns n different names.
func placeNames(d dice, n int) []string {
	names := make([]string, 0, n)
	for _, i := range d.Perm(len(placeBeginnings) * len(placeEndings)) {
		if len(names) == n {
			break
		}
		beginning, ending := placeBeginnings[i/len(placeEndings)], placeEndings[i%len(placeEndings)]
		if strings.ToLower(beginning) != ending { // no Brookbrook
			names = append(names, beginning+ending)
		}
	}
	return names
}

// What agencies publish, by their kind. Common record types occur several times.
var (
	policeRecords = []sampledb.RecordType{
		sampledb.RecordTypeAccidentReports, sampledb.RecordTypeArrestRecords, sampledb.RecordTypeCallsforService,
		sampledb.RecordTypeCallsforService, sampledb.RecordTypeCarGPS, sampledb.RecordTypeCitations, sampledb.RecordTypeDispatchLogs,
		sampledb.RecordTypeDispatchRecordings, sampledb.RecordTypeFieldContacts, sampledb.RecordTypeIncidentReports,
		sampledb.RecordTypeIncidentReports, sampledb.RecordTypeMiscPoliceActivity, sampledb.RecordTypeOfficerInvolvedShootings,
		sampledb.RecordTypeStops, sampledb.RecordTypeSurveys, sampledb.RecordTypeUseofForceReports, sampledb.RecordTypeVehiclePursuits,
		sampledb.RecordTypeComplaintsMisconduct, sampledb.RecordTypeComplaintsMisconduct, sampledb.RecordTypeDailyActivityLogs,
		sampledb.RecordTypeTrainingHiringInfo, sampledb.RecordTypePersonnelRecords, sampledb.RecordTypeAnnualMonthlyReports,
		sampledb.RecordTypeAnnualMonthlyReports, sampledb.RecordTypeBudgetsFinances, sampledb.RecordTypeGeographic,
		sampledb.RecordTypeListofDataSources, sampledb.RecordTypePoliciesContracts, sampledb.RecordTypePoliciesContracts,
		sampledb.RecordTypeCrimeMapsReports, sampledb.RecordTypeCrimeMapsReports, sampledb.RecordTypeCrimeStatistics,
		sampledb.RecordTypeCrimeStatistics, sampledb.RecordTypeMediaBulletins, sampledb.RecordTypeRecordsRequestInfo,
		sampledb.RecordTypeResources, sampledb.RecordTypeSexOffenderRegistry, sampledb.RecordTypeWantedPersons,
		sampledb.RecordTypeOther,
	}
	courtRecords = []sampledb.RecordType{
		sampledb.RecordTypeCourtCases, sampledb.RecordTypeCourtCases, sampledb.RecordTypeCourtCases, sampledb.RecordTypeResources,
		sampledb.RecordTypeRecordsRequestInfo, sampledb.RecordTypeAnnualMonthlyReports, sampledb.RecordTypeBudgetsFinances,
	}
	jailRecords = []sampledb.RecordType{
		sampledb.RecordTypeBookingReports, sampledb.RecordTypeBookingReports, sampledb.RecordTypeIncarcerationRecords,
		sampledb.RecordTypeIncarcerationRecords, sampledb.RecordTypePoliciesContracts, sampledb.RecordTypeAnnualMonthlyReports,
		sampledb.RecordTypeComplaintsMisconduct,
	}
)

// What crawlers find on the hosts of agencies and is not relevant.
var offTopics = []string{
	"Parks and Recreation", "Water Billing", "City Council Minutes", "Zoning Map", "Library Hours", "Yard Waste",
	"Summer Camp Registration", "Pet Licenses", "Farmers Market", "Employee Benefits",
}

// Titles of pages that link to records and do not contain them.
var leadingPages = []string{"Transparency Portal", "Public Records", "Forms and Documents", "Open Data", "Divisions"}

// Titles of pages about a single case; the number of the case follows.
var singleCases = []string{"Incident Report", "Press Release", "Case Summary", "Arrest Report", "Meeting Notice"}

// nameForms combine the subject of a page and its agency into a name.
var nameForms = []string{
	"%[1]s for %[2]s", "%[2]s %[1]s", "%[1]s (%[2]s)", "%[1]s, %[2]s", "%[2]s: %[1]s", "%[1]s of %[2]s",
	"%[1]s at %[2]s", "%[1]s by %[2]s", "%[1]s from %[2]s", "Public %[1]s, %[2]s", "%[1]s page, %[2]s",
	"%[1]s archive, %[2]s", "All %[1]s, %[2]s",
}

var slugReplacer = strings.NewReplacer(" & ", "-and-", " ", "-")

// slug converts a phrase to the form that is used in paths.
func slug(phrase string) string {
	return strings.ToLower(slugReplacer.Replace(phrase))
}
