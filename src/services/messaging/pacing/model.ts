// What is assumed about the messages of one session: how many arrive, and what it costs to let them wait.
//
// Three models run side by side, weighted by how well each predicted what the polls found (a likelihood ratio): steady
// traffic (gamma-Poisson), and two self-exciting ones (Hawkes: each message makes others likely, for about 20 s or 90
// s). Steady sessions are soon left to the first, conversations to the others. A poll only tells how many messages
// arrived since the previous one, not when: they count as spread over that time. This file has their parameters;
// pacing-estimates.ts has what each session makes of them.

export const MODELS = [
  { alpha: 0, betaPerS: 0 },
  { alpha: 0.9, betaPerS: 1 / 20 },
  { alpha: 0.9, betaPerS: 1 / 90 },
] as const;
export type Model = 0 | 1 | 2;
export const ALL: readonly Model[] = [0, 1, 2];
/** Those in which a message makes others likely. */
export const EXCITED: readonly Model[] = [1, 2];

/** Unobserved, an excited rate falls this fast to its long-run mean, since its messages excite in turn. */
const RELAXATION_PER_S = MODELS.map(({ alpha, betaPerS }) => betaPerS * (1 - alpha));
export const relaxation = (model: Model) => RELAXATION_PER_S[model] ?? 0;

/** A steady session's messages count singly; those of a conversation come in clusters, and count as clusters. */
export const evidence = (model: Model) => (1 - MODELS[model].alpha) ** 2;

/** The prior of a session's rate is that of all sessions together, weighted like this many messages. */
export const PRIOR_MESSAGES = 2;
/** A model that failed is never further than this from returning (in nats): sessions change. */
export const LOG_WEIGHT_FLOOR = -8;
/** What a session did half a day ago counts a quarter. */
export const FADING_PER_S = Math.LN2 / (6 * 3600);
/** After an own message: this many messages are expected in answer, after this time. */
export const ANSWERS = 0.7;
export const ANSWER_PER_S = 1 / 30;
/** More messages than this in one poll say nothing more about the model. */
const MAX_COUNT = 100;

/** Below this, series are exact enough (to 10^-7) and several times as fast: most waits are that short. */
const SHORT = 0.05;

/** e^(−x). */
export const fallen = (x: number): number =>
  x < SHORT ? 1 - x * (1 - (x / 2) * (1 - (x / 3) * (1 - x / 4))) : Math.exp(-x);

/** The integral of e^(−rate·s) from 0 to u. */
export function decayed(rate: number, u: number): number {
  const x = rate * u;
  return x < SHORT ? u * (1 - (x / 2) * (1 - (x / 3) * (1 - x / 4))) : -Math.expm1(-x) / rate;
}

/** The integral of (s + d)·e^(−rate·s) from 0 to u. */
export function weighted(rate: number, u: number, d: number): number {
  const x = rate * u;
  if (x < SHORT) return u * u * (1 / 2 - x * (1 / 3 - x * (1 / 8 - x / 30))) + d * decayed(rate, u);
  const e = Math.exp(-x);
  return (1 - e * (1 + x)) / (rate * rate) + (d * (1 - e)) / rate;
}

/**
 * The probability of `count` messages where `mean` were expected (negative binomial; Poisson for spread 1), but for the
 * count's factorial.
 */
export function logLikelihood(count: number, mean: number, spread: number): number {
  const counted = Math.min(count, MAX_COUNT);
  if (spread < 1.01) return counted > 0 ? counted * Math.log(mean) - mean : -mean;
  const shape = mean / (spread - 1);
  let log = -shape * Math.log(spread);
  if (counted > 0) log += counted * Math.log(1 - 1 / spread);
  for (let i = 0; i < counted; i++) log += Math.log(shape + i);
  return log;
}

/** How much more than Poisson's a model's counts vary over a time: short times cut clusters off. */
export function spread(model: Model, seconds: number): number {
  if (model === 0) return 1;
  return 1 + (1 / evidence(model) - 1) * (1 - decayed(relaxation(model), seconds) / seconds);
}
