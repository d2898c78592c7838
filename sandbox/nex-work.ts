/** Tasks and notes of the Nex stand-in. Neither is ever deleted: a DELETE archives. */

import {
  found,
  integer,
  oneOf,
  picked,
  Refusal,
  type Route,
  required,
  type Workspace,
} from "./nex-workspace.ts";

interface Kept extends Record<string, unknown> {
  id: string;
  title: string;
  created_at: string;
  archived_at?: string;
}

const priorities = ["unspecified", "low", "medium", "high", "urgent"];
const taskFields = [
  "title",
  "description",
  "priority",
  "due_date",
  "is_completed",
  "entity_ids",
  "assignee_ids",
];
const noteFields = ["title", "content", "entity_id"];

export function workRoutes(workspace: Workspace) {
  const tasks = new Map<string, Kept>();
  const notes = new Map<string, Kept>();

  const create = (kept: Map<string, Kept>, given: Record<string, unknown>, more: object): Kept => {
    const made: Kept = {
      ...{ id: workspace.nextId(), title: required(given, "title"), ...given },
      ...{ created_by: "developer_api", created_at: workspace.now(), ...more },
    };
    kept.set(made.id, made);
    return made;
  };
  const change = (kept: Kept, given: Record<string, unknown>): Kept => {
    if (given.title === "") throw new Refusal(400, "title cannot be empty");
    return Object.assign(kept, given);
  };
  const archive = (kept: Kept) => {
    kept.archived_at ??= workspace.now();
  };
  const listed = (kept: Map<string, Kept>) =>
    [...kept.values()].filter((one) => one.archived_at === undefined);
  const refersTo = (value: unknown, id: string) => Array.isArray(value) && value.includes(id);

  /** The task in a request, validated. */
  const task = (body: Record<string, unknown>) => {
    const given = picked(body, taskFields);
    for (const id of Array.isArray(given.entity_ids) ? given.entity_ids : []) workspace.record(id);
    if (given.priority !== undefined) oneOf(given.priority, "priority", [...priorities, ""]);
    if (given.due_date !== undefined && Number.isNaN(Date.parse(String(given.due_date))))
      throw new Refusal(400, "due_date must be an RFC 3339 time");
    return given;
  };
  const note = (body: Record<string, unknown>) => {
    const given = picked(body, noteFields);
    if (given.entity_id !== undefined) workspace.record(given.entity_id);
    return given;
  };
  const taskOf = (id = "") => found(tasks.get(id), "Task not found");
  const noteOf = (id = "") => found(notes.get(id), "Note not found");
  const completed = (one: Kept): Kept => {
    if (one.is_completed === true) one.completed_at ??= workspace.now();
    else delete one.completed_at;
    return one;
  };

  const routes: Route[] = [
    [
      "POST /v1/tasks",
      "task.write",
      ({ body }) =>
        create(
          tasks,
          { priority: "unspecified", entity_ids: [], assignee_ids: [], ...task(body()) },
          {
            ...{ is_completed: false, created_by_id: "1" },
          },
        ),
    ],
    [
      "GET /v1/tasks",
      "task.read",
      ({ query }) => {
        const limit = integer(query.get("limit"), "limit", 100, 1, 500);
        const offset = integer(query.get("offset"), "offset", 0, 0, Number.MAX_SAFE_INTEGER);
        const wanted = (name: string, holds: (one: Kept, value: string) => boolean) => (one: Kept) => {
          const value = query.get(name);
          return value === null || holds(one, value);
        };
        const all = listed(tasks)
          .filter(wanted("entity_id", (one, value) => refersTo(one.entity_ids, value)))
          .filter(wanted("assignee_id", (one, value) => refersTo(one.assignee_ids, value)))
          .filter(wanted("search", (one, value) => one.title.toLowerCase().includes(value.toLowerCase())))
          .filter(wanted("is_completed", (one, value) => String(one.is_completed) === value));
        const has_more = offset + limit < all.length;
        return {
          data: all.slice(offset, offset + limit),
          ...{ has_more, total: all.length, ...(has_more && { next_offset: offset + limit }) },
        };
      },
    ],
    ["GET /v1/tasks/{task_id}", "task.read", ({ path }) => taskOf(path.task_id)],
    [
      "PATCH /v1/tasks/{task_id}",
      "task.write",
      ({ path, body }) => completed(change(taskOf(path.task_id), task(body()))),
    ],
    ["DELETE /v1/tasks/{task_id}", "task.write", ({ path }) => archive(taskOf(path.task_id))],
    ["POST /v1/notes", "note.write", ({ body }) => create(notes, note(body()), {})],
    [
      "GET /v1/notes",
      "note.read",
      ({ query }) => {
        const of = query.get("entity_id");
        return {
          data: listed(notes)
            .filter((one) => of === null || one.entity_id === of)
            .slice(0, 200),
        };
      },
    ],
    ["GET /v1/notes/{note_id}", "note.read", ({ path }) => noteOf(path.note_id)],
    [
      "PATCH /v1/notes/{note_id}",
      "note.write",
      ({ path, body }) => change(noteOf(path.note_id), note(body())),
    ],
    ["DELETE /v1/notes/{note_id}", "note.write", ({ path }) => archive(noteOf(path.note_id))],
  ];
  return { routes, state: () => ({ notes: [...notes.values()], tasks: [...tasks.values()] }) };
}
