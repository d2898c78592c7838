// The schedule of a job as a setting.

import { z } from "zod";
import { createSchedule, ScheduleError } from "./schedule.ts";

export const schedule = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .superRefine((text, context) => {
      try {
        createSchedule(text);
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        context.addIssue({ code: "custom", message: error.reason });
      }
    });
