// An event of the log as CloudEvents 1.0 JSON, built around its stored data without parsing it again, so that a
// service's data is served digit for digit.

/** A row of the log. `type` has its prefix, `time` is RFC 3339 UTC, `data` is JSON text. */
export interface EventRow {
  sequence: number;
  id: string;
  source: string;
  type: string;
  subject: string | null;
  time: string;
  data: string;
}

/** The event as it is served: the attributes of CloudEvents 1.0, and the extension `sequence`, a string. */
export const cloudEventJson = (row: EventRow): string =>
  `{"specversion":"1.0","id":"${row.id}","source":${JSON.stringify(row.source)},` +
  `"type":${JSON.stringify(row.type)},` +
  (row.subject === null ? "" : `"subject":${JSON.stringify(row.subject)},`) +
  `"time":"${row.time}","datacontenttype":"application/json","sequence":"${row.sequence}","data":${row.data}}`;

/**
 * The time and the data of an event, both as JSON text, cut out of the result of `cloudEventJson`. In the members
 * before the data, a quotation mark follows a comma only at the start of the next member.
 */
export function timeAndData(json: string): { time: string; data: string } {
  const time = json.indexOf(',"time":') + 8;
  const data = json.indexOf(',"data":') + 8;
  return { time: json.slice(time, json.indexOf(",", time)), data: json.slice(data, -1) };
}
