package sample

import "docket/internal/db/sampledb"

// pageSize is the number of URLs on a page; the last page can have fewer.
const pageSize = 4000

// Page is a range of URLs with all rows that belong to them, by table.
type Page struct {
	Tasks []sampledb.TaskInsertManyParams

	URLs        []sampledb.URLInsertManyParams
	HTML        []sampledb.HTMLContentInsertManyParams
	WebMetadata []sampledb.WebMetadataInsertManyParams
	TaskURLs    []sampledb.TaskURLInsertManyParams
	BatchURLs   []sampledb.BatchURLInsertManyParams
	Duplicates  []sampledb.DuplicateInsertManyParams

	AgencySubtasks             []sampledb.AgencySubtaskInsertManyParams
	AgencySubtaskSuggestions   []sampledb.AgencySubtaskSuggestionInsertManyParams
	LocationSubtasks           []sampledb.LocationSubtaskInsertManyParams
	LocationSubtaskSuggestions []sampledb.LocationSubtaskSuggestionInsertManyParams
	RobotRecordTypes           []sampledb.RobotRecordTypeInsertManyParams
	RobotRelevance             []sampledb.RobotRelevanceInsertManyParams

	UserURLTypes     []sampledb.UserURLTypeInsertManyParams
	UserRecordTypes  []sampledb.UserRecordTypeInsertManyParams
	UserAgencies     []sampledb.UserAgencyInsertManyParams
	UserLocations    []sampledb.UserLocationInsertManyParams
	NameSuggestions  []sampledb.NameSuggestionInsertManyParams
	NameEndorsements []sampledb.NameEndorsementInsertManyParams
	AgencyNotFound   []sampledb.AgencyNotFoundInsertManyParams
	LocationNotFound []sampledb.LocationNotFoundInsertManyParams

	AnonymousURLTypes    []sampledb.AnonymousURLTypeInsertManyParams
	AnonymousRecordTypes []sampledb.AnonymousRecordTypeInsertManyParams
	AnonymousAgencies    []sampledb.AnonymousAgencyInsertManyParams
	AnonymousLocations   []sampledb.AnonymousLocationInsertManyParams
	AnonymousNames       []sampledb.AnonymousNameEndorsementInsertManyParams

	Validated         []sampledb.ValidatedFlagInsertManyParams
	AutoValidated     []sampledb.AutoValidatedFlagInsertManyParams
	Suspended         []sampledb.SuspendedFlagInsertManyParams
	AgreedRecordTypes []sampledb.AgreedRecordTypeInsertManyParams
	AgreedAgencies    []sampledb.AgreedAgencyInsertManyParams
	DataSourceLinks   []sampledb.DataSourceLinkInsertManyParams
	MetaURLLinks      []sampledb.MetaURLLinkInsertManyParams
}

// reset empties the page and keeps its memory for reuse.
func (p *Page) reset() {
	*p = Page{
		Tasks: p.Tasks[:0],

		URLs: p.URLs[:0], HTML: p.HTML[:0], WebMetadata: p.WebMetadata[:0], TaskURLs: p.TaskURLs[:0],
		BatchURLs: p.BatchURLs[:0], Duplicates: p.Duplicates[:0],

		AgencySubtasks: p.AgencySubtasks[:0], AgencySubtaskSuggestions: p.AgencySubtaskSuggestions[:0],
		LocationSubtasks: p.LocationSubtasks[:0], LocationSubtaskSuggestions: p.LocationSubtaskSuggestions[:0],
		RobotRecordTypes: p.RobotRecordTypes[:0], RobotRelevance: p.RobotRelevance[:0],

		UserURLTypes: p.UserURLTypes[:0], UserRecordTypes: p.UserRecordTypes[:0], UserAgencies: p.UserAgencies[:0],
		UserLocations: p.UserLocations[:0], NameSuggestions: p.NameSuggestions[:0],
		NameEndorsements: p.NameEndorsements[:0], AgencyNotFound: p.AgencyNotFound[:0],
		LocationNotFound: p.LocationNotFound[:0],

		AnonymousURLTypes: p.AnonymousURLTypes[:0], AnonymousRecordTypes: p.AnonymousRecordTypes[:0],
		AnonymousAgencies: p.AnonymousAgencies[:0], AnonymousLocations: p.AnonymousLocations[:0],
		AnonymousNames: p.AnonymousNames[:0],

		Validated: p.Validated[:0], AutoValidated: p.AutoValidated[:0], Suspended: p.Suspended[:0],
		AgreedRecordTypes: p.AgreedRecordTypes[:0], AgreedAgencies: p.AgreedAgencies[:0],
		DataSourceLinks: p.DataSourceLinks[:0], MetaURLLinks: p.MetaURLLinks[:0],
	}
}
