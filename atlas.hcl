// Environments of the database, for "docket schema" and "docket migrate" (--env NAME), and for DBAs who prefer the Atlas
// command (v1.2 or later, community build). Both read the same files, keep the same revisions table and wait for each
// other's lock.
//
//   DATABASE_URL       the database to look at or change. Without it, local is Docket's own, and Docket refuses the others.
//   ATLAS_DEV_URL      a server of the same major version for scratch databases. Docket makes databases of its own there,
//                      and starts a server for them when this is not set; the Atlas command wants an empty database.
//
// The Atlas community build plans tables, enums and indexes. It passes over views in sql/schema without a word; files in
// sql/migrations it runs whole.

locals {
  // Scoped to one schema: plans come out unqualified, and what lives beside
  // public (the job queue's schema) is neither seen nor dropped.
  url = urlqueryset(getenv("DATABASE_URL"), "search_path", "public")
  dev = urlqueryset(getenv("ATLAS_DEV_URL"), "search_path", "public")

  // The same set also keeps a URL without search_path from touching them.
  foreign = ["river", "atlas_schema_revisions", "public.atlas_schema_revisions"]
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
      drop_schema = true
      drop_table  = true
      drop_column = true
      drop_view   = true
    }
    concurrent_index {
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
