// What is believed of the messages of one session: how many come, and what it costs to let them wait.
//
// Three models run side by side, weighted by how well each foretold what the polls found (a likelihood ratio):
// steady traffic (gamma-Poisson), and two self-exciting ones (Hawkes: each message makes others likely, for about
// 20 s or 90 s). Equal and steady sessions are soon left to the first, conversations to the others.
// A poll only tells how many messages came since the one before it, not when: they count as spread over that time.

import { z } from "zod";

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
  /** Messages, and the seconds in which they came; both fade. */
  messages: z.number(),
  exposureS: z.number(),
  /** The long-run rate according to each model. */
  baseRates: triple,
  /** What the messages seen add to the rate, by model; nothing in the steady one. */
  excitation: triple,
  /** What each model foretold from `seenAtMs` to `atMs`. */
  expected: triple,
  /** The logarithms of the weights of the models, the largest being 0. */
  logWeights: triple,
  /** The rate of the answer that an own message makes likely. */
  answer: z.number(),
});
export type Estimate = z.infer<typeof estimateRecord>;

const MODELS = [
  { alpha: 0, betaPerS: 0 },
  { alpha: 0.9, betaPerS: 1 / 20 },
  { alpha: 0.9, betaPerS: 1 / 90 },
] as const;
type ModelIndex = 0 | 1 | 2;
const ALL: readonly ModelIndex[] = [0, 1, 2];

/** Unobserved, an excited rate falls this fast to its long-run mean, since what it brings excites in turn. */
const RELAXATION_PER_S = MODELS.map(({ alpha, betaPerS }) => betaPerS * (1 - alpha));
const relaxation = (model: ModelIndex) => RELAXATION_PER_S[model] ?? 0;

/** A steady session's messages count one by one; those of a conversation come in clusters, and count as those. */
const evidence = (model: ModelIndex) => (1 - MODELS[model].alpha) ** 2;

/** The prior of a session's rate is that of all sessions together, worth as much as this many messages. */
const PRIOR_MESSAGES = 2;
/** A model that failed is never further than this from returning (in nats): sessions change. */
const LOG_WEIGHT_FLOOR = -8;
/** What a session did half a day ago counts a quarter. */
const HALF_LIFE_S = 6 * 3600;
/** After an own message: this many messages are expected in answer, after this time. */
const ANSWERS = 0.7;
const ANSWER_PER_S = 1 / 30;
/** More messages than this in one poll say nothing more about the model. */
const MAX_COUNT = 100;

const since = (fromMs: number, toMs: number) => Math.max(0, toMs - fromMs) / 1000;

/** The integral of e^(−rate·s) from 0 to u. */
function decayed(rate: number, u: number): number {
  const x = rate * u;
  // Near 0 by its series, to a millionth: most waits are short beside what the models remember.
  return x < 1e-3 ? u * (1 - x / 2) : -Math.expm1(-x) / rate;
}

export function newEstimate(nowMs: number, meanRate: number): Estimate {
  return {
    turnAtMs: nowMs,
    seenAtMs: null,
    atMs: nowMs,
    waited: 0,
    messages: 0,
    exposureS: 0,
    baseRates: [meanRate, meanRate, meanRate],
    excitation: [0, 0, 0],
    expected: [0, 0, 0],
    logWeights: [0, 0, 0],
    answer: 0,
  };
}

/** A copy of an estimate that was stored. One from the future is of a clock that has been put back since: it is of now. */
export function recalled(stored: Estimate, nowMs: number): Estimate {
  // Not by structuredClone, whose arrays hold their numbers boxed: each change of one would make a new one.
  const estimate: Estimate = {
    ...stored,
    baseRates: [...stored.baseRates],
    excitation: [...stored.excitation],
    expected: [...stored.expected],
    logWeights: [...stored.logWeights],
  };
  const aheadMs = Math.max(0, estimate.atMs - nowMs, estimate.turnAtMs - nowMs);
  estimate.turnAtMs -= aheadMs;
  estimate.atMs -= aheadMs;
  if (estimate.seenAtMs !== null) estimate.seenAtMs -= aheadMs;
  return estimate;
}

/** How far a model's rate is above (or below) its long-run mean; that mean includes the excitation to come. */
const aboveMean = (estimate: Estimate, model: ModelIndex) =>
  estimate.excitation[model] - MODELS[model].alpha * estimate.baseRates[model];

/** Moves the estimate forward in time without a look at the session. */
function advance(estimate: Estimate, toMs: number): void {
  const u = since(estimate.atMs, toMs);
  if (u === 0) return;
  const answers = estimate.answer > 0 ? estimate.answer * decayed(ANSWER_PER_S, u) : 0;
  for (const model of ALL) {
    const rest = aboveMean(estimate, model) * decayed(relaxation(model), u);
    estimate.expected[model] += estimate.baseRates[model] * u + rest + answers;
    estimate.excitation[model] *= Math.exp(-MODELS[model].betaPerS * u);
  }
  if (estimate.answer > 0) estimate.answer *= Math.exp(-ANSWER_PER_S * u);
  estimate.atMs = toMs;
}

/** The probability of `count` messages where `mean` were expected (negative binomial; Poisson for spread 1), but for the count's factorial. */
function logLikelihood(count: number, mean: number, spread: number): number {
  const counted = Math.min(count, MAX_COUNT);
  if (spread < 1.01) return counted * Math.log(mean) - mean;
  const shape = mean / (spread - 1);
  let log = -shape * Math.log(spread) + counted * Math.log(1 - 1 / spread);
  for (let i = 0; i < counted; i++) log += Math.log(shape + i);
  return log;
}

/** How much more than Poisson's a model's counts vary over a time: clusters are cut off by short times. */
function spread(model: ModelIndex, seconds: number): number {
  if (model === 0) return 1;
  const rate = relaxation(model);
  return 1 + (1 / evidence(model) - 1) * (1 - decayed(rate, seconds) / seconds);
}

/**
 * Learns from a poll: `messages` of others since the poll before. The first poll of a session only starts the
 * clock, since it reads what was said before.
 * @param meanRate messages a second of a session, over all sessions
 */
export function observe(estimate: Estimate, atMs: number, messages: number, meanRate: number): void {
  const { seenAtMs } = estimate;
  const answered = messages > 0 && estimate.atMs <= atMs;
  advance(estimate, atMs);
  if (seenAtMs !== null) {
    const seconds = Math.max(0.001, since(seenAtMs, estimate.atMs));
    for (const model of ALL) {
      const { alpha, betaPerS } = MODELS[model];
      const mean = Math.max(1e-9, estimate.expected[model]);
      estimate.logWeights[model] += logLikelihood(messages, mean, spread(model, seconds));
      estimate.excitation[model] += (messages * alpha * -Math.expm1(-betaPerS * seconds)) / seconds;
    }
    const [a, b, c] = estimate.logWeights;
    const best = Math.max(a, b, c);
    const fading = 2 ** (-seconds / HALF_LIFE_S);
    estimate.messages = estimate.messages * fading + messages;
    estimate.exposureS = estimate.exposureS * fading + seconds;
    for (const model of ALL) {
      estimate.logWeights[model] = Math.max(LOG_WEIGHT_FLOOR, estimate.logWeights[model] - best);
      estimate.baseRates[model] =
        (PRIOR_MESSAGES + estimate.messages * evidence(model)) /
        (PRIOR_MESSAGES / meanRate + estimate.exposureS * evidence(model));
    }
  }
  if (answered) estimate.answer = 0;
  for (const model of ALL) estimate.expected[model] = 0;
  estimate.seenAtMs = estimate.atMs;
}

/** The rate of a session, and what its waiting costs, between two events: everything that `indexAt` needs. */
export interface Curve {
  atMs: number;
  /** The index and the seconds of waiting at `atMs`. */
  waited: number;
  waitingS: number;
  /** The rate is `base`, and what decays from `atMs` on, at three speeds. */
  base: number;
  first: number;
  second: number;
  answer: number;
}

export const newCurve = (): Curve => ({
  atMs: 0,
  waited: 0,
  waitingS: 0,
  base: 0,
  first: 0,
  second: 0,
  answer: 0,
});

/** Makes the curve the mixture of the models at the estimate's time. In place, since each turn of each session does. */
export function drawCurve(curve: Curve, estimate: Estimate): void {
  const [a, b, c] = estimate.logWeights;
  const weights = [Math.exp(a), Math.exp(b), Math.exp(c)] as const;
  const total = weights[0] + weights[1] + weights[2];
  curve.atMs = estimate.atMs;
  curve.waited = estimate.waited;
  curve.waitingS = since(estimate.turnAtMs, estimate.atMs);
  curve.base =
    (weights[0] * estimate.baseRates[0] +
      weights[1] * estimate.baseRates[1] +
      weights[2] * estimate.baseRates[2]) /
    total;
  curve.first = (weights[1] * aboveMean(estimate, 1)) / total;
  curve.second = (weights[2] * aboveMean(estimate, 2)) / total;
  curve.answer = estimate.answer;
}

/** The integral of (s + d)·e^(−rate·s) from 0 to u. */
function weighted(rate: number, u: number, d: number): number {
  const x = rate * u;
  if (x < 1e-3) return u * u * (0.5 - x / 3) + d * decayed(rate, u);
  const e = Math.exp(-x);
  return (1 - e * (1 + x)) / (rate * rate) + (d * (1 - e)) / rate;
}

/**
 * The index of a session: ∫ λ̂(s)·s ds over its wait, which is λ̂·τ²/2 where λ̂ is constant. In this form it counts
 * what has been waiting, whatever the rate is by now, and only grows while the session waits.
 */
export function indexAt(curve: Curve, nowMs: number): number {
  const u = since(curve.atMs, nowMs);
  const d = curve.waitingS;
  let index = curve.waited + curve.base * u * (u / 2 + d);
  index += curve.first * weighted(relaxation(1), u, d);
  index += curve.second * weighted(relaxation(2), u, d);
  if (curve.answer > 0) index += curve.answer * weighted(ANSWER_PER_S, u, d);
  return index;
}

function rateAt(curve: Curve, u: number): number {
  const excited = curve.first * Math.exp(-relaxation(1) * u) + curve.second * Math.exp(-relaxation(2) * u);
  return curve.base + excited + (curve.answer > 0 ? curve.answer * Math.exp(-ANSWER_PER_S * u) : 0);
}

/** How far off `reachedAt` may be, as a share of the value. */
export const PRECISION = 1e-4;

/** When the index reaches a value, in ms since the epoch; `atMs` if it has. Newton's method on its square root, which is nearly straight. */
export function reachedAt(curve: Curve, value: number): number {
  if (curve.waited >= value) return curve.atMs;
  const goal = Math.sqrt(value);
  let u = Math.max(0.001, Math.sqrt((2 * value) / rateAt(curve, 0)) - curve.waitingS);
  for (let i = 0; i < 30; i++) {
    const index = indexAt(curve, curve.atMs + u * 1000);
    if (Math.abs(index - value) <= PRECISION * value) break;
    const root = Math.sqrt(index);
    const step = ((goal - root) * 2 * root) / (rateAt(curve, u) * (u + curve.waitingS));
    u = Math.max(u / 8, u + step);
  }
  return curve.atMs + u * 1000;
}

/** Begins a new wait: the session has had its turn, whatever came of it. */
export function beginWait(estimate: Estimate, atMs: number): void {
  advance(estimate, atMs);
  estimate.turnAtMs = atMs;
  estimate.waited = 0;
}

/** An own message was sent: an answer is likely soon. */
export function expectAnswer(estimate: Estimate, atMs: number): void {
  const curve = newCurve();
  drawCurve(curve, estimate);
  estimate.waited = indexAt(curve, atMs);
  advance(estimate, atMs);
  estimate.answer = ANSWERS * ANSWER_PER_S;
}
