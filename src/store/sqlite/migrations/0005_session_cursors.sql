-- The cursor of a session stands in its record alone.

DELETE FROM cursors WHERE source LIKE 'messaging:%';
