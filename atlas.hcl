// Database environments for "docket schema" and "docket migrate" (--env NAME), and for DBAs who prefer the Atlas command
// (v1.2 or later, community build). Both programs read the same files, write the same revisions table and wait for each
// other's lock.
//
//   DATABASE_URL       the database to read or change. Without it, local is Docket's own, and Docket refuses the others.
//   ATLAS_DEV_URL      a server of the same major version for scratch databases. Docket creates databases there, and
//                      starts a server for them when this is not set; the Atlas command needs an empty database.
//
// The Atlas community build plans tables, enums and indexes. It skips views in sql/schema without a message; it runs every
// statement of the files in sql/migrations.

locals {
  // One schema: plans have unqualified names, and other schemas are neither read nor dropped.
  url = urlqueryset(getenv("DATABASE_URL"), "search_path", "public")
  dev = urlqueryset(getenv("ATLAS_DEV_URL"), "search_path", "public")

  // Both forms of the name: with and without search_path in the URL.
  foreign = ["atlas_schema_revisions", "public.atlas_schema_revisions"]
}

env "local" {
  src     = "file://sql/schema"
  url     = local.url
  dev     = local.dev
  exclude = local.foreign
  migration {
    dir              = "file://sql/migrations"
    revisions_schema = "public"
  }
  lint {
    latest = 1
  }
}

env "ci" {
  src     = "file://sql/schema"
  url     = local.url
  dev     = local.dev
  exclude = local.foreign
  migration {
    dir              = "file://sql/migrations"
    revisions_schema = "public"
  }
  lint {
    git {
      base = "origin/main"
    }
  }
}

env "prod" {
  src     = "file://sql/schema"
  url     = local.url
  dev     = local.dev
  exclude = local.foreign
  migration {
    dir              = "file://sql/migrations"
    revisions_schema = "public"
    lock_timeout     = "30s"
  }
  diff {
    skip {
      drop_schema      = true
      drop_table       = true
      drop_column      = true
      drop_view        = true
      drop_index       = true // keys and exclusion constraints as well
      drop_foreign_key = true
      drop_check       = true // this and the next only Docket knows
      drop_comment     = true // where the files have none
    }
    concurrent_index { // Docket also validates constraints and builds keys while others write
      create = true
      drop   = true
    }
  }
}

diff {
  skip {
    drop_schema = true
  }
}

lint {
  destructive {
    error = true
  }
  incompatible {
    error = true
  }
}
