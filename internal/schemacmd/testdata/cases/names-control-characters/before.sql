CREATE TYPE "ty""pe" AS ENUM ('a');
CREATE TABLE "ta""ble" ("c\ol" int CONSTRAINT "pk""" PRIMARY KEY, "line
end" int, "t	ab" "ty""pe", CONSTRAINT "c'k" CHECK ("line
end" > 0));
CREATE INDEX "in""dex" ON "ta""ble" ("line
end");
CREATE VIEW "vi""ew" AS SELECT "line
end" AS "o""ut" FROM "ta""ble";
