INSERT INTO "ta""ble" VALUES (2, 2, 'a');
