/** Whether the kernel is there: it is asked in steady beats, and silence is counted in beats too. */

const BEAT_MS = 5_000;
/** Every so many beats the kernel is asked. */
const ASKED_EVERY = 2;
/** After so many beats without a word it counts as gone: 15 seconds at least, and one question without an answer. */
const SILENT_BEATS = 4;

/** Beats are counted, not seconds: a page that slept, or is slowed down in the background, has not listened meanwhile. */
export class Pulse {
  private timer: ReturnType<typeof setInterval> | undefined;
  private beats = 0;
  private quiet = 0;
  private answers = true;

  constructor(
    private readonly ask: () => void,
    private readonly tell: (answers: boolean) => void,
  ) {}

  start(): void {
    this.timer = setInterval(this.beat, BEAT_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** An answer or a frame came. */
  heard(): void {
    this.quiet = 0;
    this.say(true);
  }

  /** Not there until it is heard. */
  lost(): void {
    this.quiet = SILENT_BEATS;
    this.say(false);
  }

  private readonly beat = (): void => {
    this.beats += 1;
    this.quiet += 1;
    if (this.beats % ASKED_EVERY === 0) this.ask();
    if (this.quiet >= SILENT_BEATS) this.say(false);
  };

  private say(answers: boolean): void {
    if (answers === this.answers) return;
    this.answers = answers;
    this.tell(answers);
  }
}
