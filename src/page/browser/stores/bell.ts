// A bell for new proposals. It is off by default, and the setting ends with the tab.

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

/** Rings if it is on. Browsers allow no sound before the person has interacted with the page. */
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
