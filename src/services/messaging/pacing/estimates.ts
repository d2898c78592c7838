// What is known of each session, by the models of pacing-model.ts, and the index that its wait has reached.
//
// All estimates are in one array of numbers, one row per session: each turn of a session reads and changes nearly all
// of its row, and with thousands of sessions cache misses dominate the cost.

import { z } from "zod";
import {
  ALL,
  ANSWER_PER_S,
  ANSWERS,
  decayed,
  EXCITED,
  evidence,
  FADING_PER_S,
  fallen,
  LOG_WEIGHT_FLOOR,
  logLikelihood,
  MODELS,
  type Model,
  PRIOR_MESSAGES,
  relaxation,
  spread,
  weighted,
} from "./model.ts";

const triple = z.tuple([z.number(), z.number(), z.number()]);

/** What is known of a session, in JSON. Rates are per second; times in ms since the epoch. */
export const estimateRecord = z.object({
  /** The last turn of the session: the wait is counted from here. */
  turnAtMs: z.number(),
  /** The last poll that was answered; null: none yet. */
  seenAtMs: z.number().nullable(),
  /** The time that excitation, expected and waited stand for. */
  atMs: z.number(),
  /** The index that was reached at `atMs`. */
  waited: z.number(),
  /** Messages, and the seconds in which they arrived; both decay. */
  messages: z.number(),
  exposureS: z.number(),
  /** The long-run rate according to each model. */
  baseRates: triple,
  /** What the observed messages add to the rate, by model; nothing in the steady one. */
  excitation: triple,
  /** What each model predicted from `seenAtMs` to `atMs`. */
  expected: triple,
  /** The logarithms of the weights of the models, the largest being 0. */
  logWeights: triple,
  /** The rate of the answer that an own message makes likely. */
  answer: z.number(),
});
export type Estimate = z.infer<typeof estimateRecord>;

// The columns of a row. First those that the index is computed from, in one cache line.
const AT_MS = 0;
const WAITED = 1;
const TURN_AT_MS = 2;
const ANSWER = 3;
/** The mixture of the models at AT_MS: the rate is BASE, plus what decays from then on, at both speeds. */
const BASE = 4;
const ABOVE = 5; // of models 1 and 2
/** NaN: never. */
const SEEN_AT_MS = 7;
const MESSAGES = 8;
const EXPOSURE_S = 9;
const BASE_RATES = 10;
const EXCITATION = 13;
const EXPECTED = 16;
const LOG_WEIGHTS = 19;
const ROW = 24;

const since = (fromMs: number, toMs: number) => Math.max(0, toMs - fromMs) / 1000;

/** The possible error of `reachedAt`, as a share of the value. */
export const PRECISION = 1e-4;

/** How the index of each slot grows while it waits. */
export interface Curves {
  /**
   * ∫ λ̂(s)·s ds over the wait, which is λ̂·τ²/2 for a constant λ̂. In this form it counts what has been waiting,
   * whatever the present rate is, and only grows while the session waits.
   */
  indexAt(slot: number, nowMs: number): number;
  /** When the index reaches a value, in ms since the epoch; the time of the estimate if it already had by then. */
  reachedAt(slot: number, value: number): number;
}

export interface Estimates extends Curves {
  /** Starts a row: with what was stored, or with only the mean rate, in messages a second. */
  begin(slot: number, nowMs: number, from: Estimate | number): void;
  /**
   * Learns from a poll: `messages` of others since the previous poll. The first poll of a session only starts the
   * clock, since it reads what was written before. The index continues from a new wait, which has to begin next.
   * @param meanRate messages a second of a session, over all sessions
   */
  observe(slot: number, atMs: number, messages: number, meanRate: number): void;
  /** Starts a new wait: the session has had its turn, whatever the result. */
  beginWait(slot: number, atMs: number): void;
  /** An own message was sent: an answer is likely soon. */
  expectAnswer(slot: number, atMs: number): void;
  turnAtMs(slot: number): number;
  messages(slot: number): number;
  exposureS(slot: number): number;
  /** As it is now. */
  read(slot: number): Estimate;
}

export function createEstimates(): Estimates {
  let rows = new Float64Array(16 * ROW);
  const at = (place: number) => rows[place] ?? 0;

  /** Moves the row forward in time without an observation. */
  function advance(row: number, toMs: number): void {
    const u = since(at(row + AT_MS), toMs);
    if (u === 0) return;
    const answer = at(row + ANSWER);
    const answers = answer > 0 ? answer * decayed(ANSWER_PER_S, u) : 0;
    rows[row + EXPECTED] = at(row + EXPECTED) + at(row + BASE_RATES) * u + answers;
    for (const model of EXCITED) {
      const rest = aboveMean(row, model) * decayed(relaxation(model), u);
      const expected = row + EXPECTED + model;
      rows[expected] = at(expected) + at(row + BASE_RATES + model) * u + rest + answers;
      const excitation = row + EXCITATION + model;
      rows[excitation] = at(excitation) * fallen(MODELS[model].betaPerS * u);
    }
    if (answer > 0) rows[row + ANSWER] = answer * fallen(ANSWER_PER_S * u);
    rows[row + AT_MS] = toMs;
  }

  /** How far a model's rate is above (or below) its long-run mean; that mean includes the excitation to come. */
  const aboveMean = (row: number, model: Model) =>
    at(row + EXCITATION + model) - MODELS[model].alpha * at(row + BASE_RATES + model);

  /** Weighs the models by how well they predicted the messages of this many seconds, and lets these excite. */
  function weigh(row: number, messages: number, seconds: number): void {
    for (const model of ALL) {
      const mean = Math.max(1e-9, at(row + EXPECTED + model));
      const weight = row + LOG_WEIGHTS + model;
      rows[weight] = at(weight) + logLikelihood(messages, mean, spread(model, seconds));
      const { alpha, betaPerS } = MODELS[model];
      const excitation = row + EXCITATION + model;
      if (messages > 0)
        rows[excitation] =
          at(excitation) + messages * alpha * betaPerS * (decayed(betaPerS, seconds) / seconds);
    }
    const first = row + LOG_WEIGHTS;
    const best = Math.max(at(first), at(first + 1), at(first + 2));
    for (const model of ALL) rows[first + model] = Math.max(LOG_WEIGHT_FLOOR, at(first + model) - best);
  }

  /** Makes BASE and ABOVE the mixture of the models. */
  function mix(row: number): void {
    const weights = row + LOG_WEIGHTS;
    const steady = Math.exp(at(weights));
    const first = Math.exp(at(weights + 1));
    const second = Math.exp(at(weights + 2));
    const total = steady + first + second;
    const rates = row + BASE_RATES;
    rows[row + BASE] = (steady * at(rates) + first * at(rates + 1) + second * at(rates + 2)) / total;
    rows[row + ABOVE] = (first * aboveMean(row, 1)) / total;
    rows[row + ABOVE + 1] = (second * aboveMean(row, 2)) / total;
  }

  function indexAfter(row: number, u: number): number {
    const d = since(at(row + TURN_AT_MS), at(row + AT_MS));
    const answer = at(row + ANSWER);
    let index = at(row + WAITED) + at(row + BASE) * u * (u / 2 + d);
    index += at(row + ABOVE) * weighted(relaxation(1), u, d);
    index += at(row + ABOVE + 1) * weighted(relaxation(2), u, d);
    if (answer > 0) index += answer * weighted(ANSWER_PER_S, u, d);
    return index;
  }

  function rateAt(row: number, u: number): number {
    const answer = at(row + ANSWER);
    const above =
      at(row + ABOVE) * fallen(relaxation(1) * u) + at(row + ABOVE + 1) * fallen(relaxation(2) * u);
    return at(row + BASE) + above + (answer > 0 ? answer * fallen(ANSWER_PER_S * u) : 0);
  }

  const byModel = (place: number): Estimate["baseRates"] => [at(place), at(place + 1), at(place + 2)];

  return {
    begin(slot, nowMs, from) {
      const row = slot * ROW;
      if (row >= rows.length) {
        const larger = new Float64Array(2 * row);
        larger.set(rows);
        rows = larger;
      }
      rows.fill(0, row, row + ROW);
      if (typeof from === "number") {
        rows[row + AT_MS] = nowMs;
        rows[row + TURN_AT_MS] = nowMs;
        rows[row + SEEN_AT_MS] = Number.NaN;
        rows.fill(from, row + BASE_RATES, row + BASE_RATES + ALL.length);
      } else {
        // A time in the future comes from a clock that was set back since: it is treated as now.
        const aheadMs = Math.max(0, from.atMs - nowMs, from.turnAtMs - nowMs);
        rows[row + AT_MS] = from.atMs - aheadMs;
        rows[row + TURN_AT_MS] = from.turnAtMs - aheadMs;
        rows[row + SEEN_AT_MS] = from.seenAtMs === null ? Number.NaN : from.seenAtMs - aheadMs;
        rows[row + WAITED] = from.waited;
        rows[row + ANSWER] = from.answer;
        rows[row + MESSAGES] = from.messages;
        rows[row + EXPOSURE_S] = from.exposureS;
        rows.set(from.baseRates, row + BASE_RATES);
        rows.set(from.excitation, row + EXCITATION);
        rows.set(from.expected, row + EXPECTED);
        rows.set(from.logWeights, row + LOG_WEIGHTS);
      }
      mix(row);
    },
    observe(slot, atMs, messages, meanRate) {
      const row = slot * ROW;
      const seenAtMs = at(row + SEEN_AT_MS);
      const isAnswered = messages > 0 && at(row + AT_MS) <= atMs;
      advance(row, atMs);
      if (!Number.isNaN(seenAtMs)) {
        const seconds = Math.max(0.001, since(seenAtMs, at(row + AT_MS)));
        weigh(row, messages, seconds);
        const fading = fallen(FADING_PER_S * seconds);
        const counted = at(row + MESSAGES) * fading + messages;
        const exposureS = at(row + EXPOSURE_S) * fading + seconds;
        rows[row + MESSAGES] = counted;
        rows[row + EXPOSURE_S] = exposureS;
        for (const model of ALL)
          rows[row + BASE_RATES + model] =
            (PRIOR_MESSAGES + counted * evidence(model)) /
            (PRIOR_MESSAGES / meanRate + exposureS * evidence(model));
      }
      if (isAnswered) rows[row + ANSWER] = 0;
      for (const model of ALL) rows[row + EXPECTED + model] = 0;
      rows[row + SEEN_AT_MS] = at(row + AT_MS);
    },
    beginWait(slot, atMs) {
      const row = slot * ROW;
      advance(row, atMs);
      rows[row + TURN_AT_MS] = atMs;
      rows[row + WAITED] = 0;
      mix(row);
    },
    expectAnswer(slot, atMs) {
      const row = slot * ROW;
      rows[row + WAITED] = indexAfter(row, since(at(row + AT_MS), atMs));
      advance(row, atMs);
      rows[row + ANSWER] = ANSWERS * ANSWER_PER_S;
      mix(row);
    },
    indexAt(slot, nowMs) {
      const row = slot * ROW;
      return indexAfter(row, since(at(row + AT_MS), nowMs));
    },
    // Newton's method on the square root of the index, which is nearly straight.
    reachedAt(slot, value) {
      const row = slot * ROW;
      const atMs = at(row + AT_MS);
      if (at(row + WAITED) >= value) return atMs;
      const d = since(at(row + TURN_AT_MS), atMs);
      const goal = Math.sqrt(value);
      let u = Math.max(0.001, Math.sqrt((2 * value) / rateAt(row, 0)) - d);
      for (let i = 0; i < 30; i++) {
        const index = indexAfter(row, u);
        if (Math.abs(index - value) <= PRECISION * value) break;
        const root = Math.sqrt(index);
        const step = ((goal - root) * 2 * root) / (rateAt(row, u) * (u + d));
        u = Math.max(u / 8, u + step);
      }
      return atMs + u * 1000;
    },
    turnAtMs: (slot) => at(slot * ROW + TURN_AT_MS),
    messages: (slot) => at(slot * ROW + MESSAGES),
    exposureS: (slot) => at(slot * ROW + EXPOSURE_S),
    read(slot) {
      const row = slot * ROW;
      const seenAtMs = at(row + SEEN_AT_MS);
      return {
        turnAtMs: at(row + TURN_AT_MS),
        seenAtMs: Number.isNaN(seenAtMs) ? null : seenAtMs,
        atMs: at(row + AT_MS),
        waited: at(row + WAITED),
        messages: at(row + MESSAGES),
        exposureS: at(row + EXPOSURE_S),
        baseRates: byModel(row + BASE_RATES),
        excitation: byModel(row + EXCITATION),
        expected: byModel(row + EXPECTED),
        logWeights: byModel(row + LOG_WEIGHTS),
        answer: at(row + ANSWER),
      };
    },
  };
}
