// A bell for what arrives. It is off until it is switched on, and is forgotten with the tab.

import { signal } from "@preact/signals";

const STORED = "nexusd-bell";
const SECONDS = 0.25;

export const isBellOn = signal(sessionStorage.getItem(STORED) === "on");

let context: AudioContext | undefined;

export function toggleBell(): void {
  isBellOn.value = !isBellOn.value;
  sessionStorage.setItem(STORED, isBellOn.value ? "on" : "off");
  ring();
}

/** Where it is on. A browser lets a page make no sound before somebody has used it: then there is none. */
export function ring(): void {
  if (!isBellOn.value) return;
  context ??= new AudioContext();
  const { currentTime, destination } = context;
  const volume = new GainNode(context, { gain: 0.12 });
  volume.gain.exponentialRampToValueAtTime(0.0001, currentTime + SECONDS);
  const tone = new OscillatorNode(context, { frequency: 880 });
  tone.connect(volume).connect(destination);
  tone.start();
  tone.stop(currentTime + SECONDS);
}
