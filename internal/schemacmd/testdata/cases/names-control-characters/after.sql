CREATE TYPE "ty""pe" AS ENUM ('a', E'b\nc');
CREATE TABLE "ta""ble" ("c\ol" bigint CONSTRAINT "pk""" PRIMARY KEY, "line
end" bigint NOT NULL, "t	ab" "ty""pe" DEFAULT E'b\nc', "n""ew" serial, CONSTRAINT "c'k" CHECK ("line
end" > 1), CONSTRAINT "f""k" FOREIGN KEY ("line
end") REFERENCES "ta""ble" ("c\ol") DEFERRABLE);
CREATE UNIQUE INDEX "in""dex" ON "ta""ble" ("line
end", "n""ew");
CREATE VIEW "vi""ew" AS SELECT "line
end" AS "o""ut", "n""ew" FROM "ta""ble";
COMMENT ON COLUMN "ta""ble"."line
end" IS 'two lines';
