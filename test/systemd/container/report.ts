// Checks one after the other, with a line each as they end.

export interface Report {
  /** @param work resolves with the measured value, if any */
  check(name: string, work: () => Promise<string | undefined> | Promise<void>): Promise<void>;
  skip(name: string, why: string): void;
  /** "3 passed, 0 failed, 1 skipped", and whether none failed. */
  end(): { line: string; ok: boolean };
}

export function createReport(): Report {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const say = (text: string) => process.stdout.write(`${text}\n`);
  return {
    async check(name, work) {
      const begin = performance.now();
      try {
        const measured = await work();
        counts.passed++;
        const seconds = `${((performance.now() - begin) / 1000).toFixed(1)} s`;
        say(`ok       ${name} (${measured ? `${measured}; ${seconds}` : seconds})`);
      } catch (error) {
        counts.failed++;
        say(
          `FAILED   ${name}\n${String(error instanceof Error ? error.message : error).replace(/^/gm, "         ")}`,
        );
      }
    },
    skip(name, why) {
      counts.skipped++;
      say(`skipped  ${name}: ${why}`);
    },
    end() {
      const { passed, failed, skipped } = counts;
      return {
        line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
        ok: failed === 0,
      };
    },
  };
}
