// Tasks and notes of Nex, on their own or attached to records. Neither can be deleted: they are archived.

import { z } from "zod";
import { line, prose } from "../input.ts";
import { atLeastOneOf, type Fields, gone, id, many, nexTable, one } from "./operation.ts";

const TASK = "GET /tasks/{taskId}";
const NOTE = "GET /notes/{noteId}";

const taskId = () => id("The id of the task");
const noteId = () => id("The id of the note");
const ids = (what: string) => z.array(id(what)).optional().describe(what);
const recordIds = () => ids("The ids of the records that it belongs to");
const assigneeIds = () => ids("The ids of the users it is assigned to");
const PRIORITIES = ["unspecified", "low", "medium", "high", "urgent"] as const;
const dueDate = () =>
  z.iso.datetime({ offset: true }).optional().describe("When it is due, such as 2026-03-01T17:00:00Z");

const taskNames = { recordIds: "entity_ids" };
const noteNames = { recordId: "entity_id" };

const isArchived = ({ archived_at }: Fields) => typeof archived_at === "string" && archived_at !== "";
const show = ({ title = null, archived_at = null }: Fields) => ({ title, archivedAt: archived_at });

export const workOperations = nexTable([
  {
    name: "nex.tasks.list",
    call: "GET /tasks",
    effect: "read",
    title: "List tasks",
    description: "Tasks: all, or those of one record or user, page by page.",
    input: () => ({
      recordId: id("Only tasks of this record").optional(),
      assigneeId: id("Only tasks of this user").optional(),
      search: line.optional().describe("Only tasks with this text in their title"),
      isCompleted: z.boolean().optional().describe("true: only completed tasks; false: only open ones"),
      limit: z.int().min(1).max(500).optional().describe("At most this many tasks; default: 100"),
      offset: z.int().min(0).optional().describe("next_offset from the previous page"),
    }),
    named: noteNames,
    output: many("tasks"),
  },
  {
    name: "nex.tasks.get",
    call: TASK,
    effect: "read",
    title: "Show a task",
    description: "One task, even if it is archived.",
    input: () => ({ taskId: taskId() }),
    output: one("task"),
  },
  {
    name: "nex.tasks.create",
    call: "POST /tasks",
    effect: "write",
    idempotent: false,
    title: "Create a task",
    description: "Creates a task, on its own or attached to records.",
    input: () => ({
      title: line.describe("What has to be done"),
      description: prose.optional().describe("Further details"),
      priority: z.enum(PRIORITIES).optional().describe("How urgent it is"),
      dueDate: dueDate(),
      recordIds: recordIds(),
      assigneeIds: assigneeIds(),
    }),
    named: taskNames,
    output: one("task"),
    howToFindOut: "Read nex.tasks.list with search for its title: is there a task created at that time?",
  },
  {
    name: "nex.tasks.update",
    call: "PATCH /tasks/{taskId}",
    effect: "write",
    idempotent: true,
    title: "Update a task",
    description:
      "Sets fields of a task, including whether it is completed; fields that are not named stay unchanged.",
    input: () => ({
      taskId: taskId(),
      title: line.optional().describe("The new title"),
      description: z
        .union([prose, z.literal("")])
        .optional()
        .describe("The new text; empty removes it"),
      priority: z
        .enum([...PRIORITIES, ""])
        .optional()
        .describe("How urgent it is; empty removes it"),
      dueDate: dueDate(),
      isCompleted: z.boolean().optional().describe("Whether it is done"),
      recordIds: recordIds(),
      assigneeIds: assigneeIds(),
    }),
    rules: atLeastOneOf(
      ...["title", "description", "priority", "dueDate", "isCompleted", "recordIds", "assigneeIds"],
    ),
    named: taskNames,
    output: one("task"),
  },
  {
    name: "nex.tasks.archive",
    call: "DELETE /tasks/{taskId}",
    effect: "write",
    idempotent: false,
    title: "Archive a task",
    description: "Archives a task. It can still be read, but the API of Nex has no way to restore it.",
    input: () => ({ taskId: taskId() }),
    output: gone("archived", "taskId"),
    look: { call: TASK, show, isGone: isArchived },
    howToFindOut: "Read nex.tasks.get of the task: archived_at says that it is archived.",
  },
  {
    name: "nex.notes.list",
    call: "GET /notes",
    effect: "read",
    title: "List notes",
    description: "Notes: all, or those of one record. Nex returns at most 200, and there is no next page.",
    input: () => ({ recordId: id("Only notes of this record").optional() }),
    named: noteNames,
    output: many("notes"),
  },
  {
    name: "nex.notes.get",
    call: NOTE,
    effect: "read",
    title: "Show a note",
    description: "One note, even if it is archived.",
    input: () => ({ noteId: noteId() }),
    output: one("note"),
  },
  {
    name: "nex.notes.create",
    call: "POST /notes",
    effect: "write",
    idempotent: false,
    title: "Create a note",
    description: "Creates a note, on its own or attached to a record.",
    input: () => ({
      title: line.describe("The title of the note"),
      content: prose.optional().describe("The text of the note"),
      recordId: id("The id of the record that it belongs to").optional(),
    }),
    named: noteNames,
    output: one("note"),
    howToFindOut: "Read nex.notes.list, of its record if it has one: is there a note with this title?",
  },
  {
    name: "nex.notes.update",
    call: "PATCH /notes/{noteId}",
    effect: "write",
    idempotent: true,
    title: "Update a note",
    description:
      "Sets the title, the text or the record of a note; fields that are not named stay unchanged.",
    input: () => ({
      noteId: noteId(),
      title: line.optional().describe("The new title"),
      content: z
        .union([prose, z.literal("")])
        .optional()
        .describe("The new text"),
      recordId: id("The id of the record that it should belong to").optional(),
    }),
    rules: atLeastOneOf("title", "content", "recordId"),
    named: noteNames,
    output: one("note"),
  },
  {
    name: "nex.notes.archive",
    call: "DELETE /notes/{noteId}",
    effect: "write",
    idempotent: false,
    title: "Archive a note",
    description: "Archives a note. It can still be read, but the API of Nex has no way to restore it.",
    input: () => ({ noteId: noteId() }),
    output: gone("archived", "noteId"),
    look: { call: NOTE, show, isGone: isArchived },
    howToFindOut: "Read nex.notes.get of the note: archived_at says that it is archived.",
  },
]);
