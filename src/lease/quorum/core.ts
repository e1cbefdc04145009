import type { Now } from "../../kernel/clock.ts";
import { hashText } from "../../kernel/hash.ts";
import { BACKOFF_MS, MAX_TOKEN } from "../limits.ts";
import { type LeaseSettings, type LeaseTimes, leaseTimes, majorityOf } from "../settings.ts";
import { Agenda } from "./agenda.ts";
import type { LeaseEffect } from "./types.ts";

export interface QuorumOptions {
  /** Who this is to the servers: the id of the node, which no other run of it has. */
  readonly owner: string;
  /** How many servers there are. */
  readonly servers: number;
  readonly settings: LeaseSettings;
}

/** A calendar that is further ahead than this (the year 2112) is taken for broken: it would use up the tokens of everyone. */
const SANE_WALL_MICROS = MAX_TOKEN / 2;

/** By how much two clocks may seem to disagree because one of them tells whole milliseconds only. */
const CLOCK_GRAIN_MS = 2;

/** What all parts of the quorum machine share. */
export class QuorumCore {
  readonly owner: string;
  readonly settings: LeaseSettings;
  readonly times: LeaseTimes;
  /** How many servers are a majority. */
  readonly needed: number;
  readonly agenda = new Agenda();
  #now: Now | undefined;
  #elapsedMs = 0;
  /** By how much the calendar was ahead of the monotonic clock when that was counted last. */
  #wallAheadMs: number | undefined;
  #effects: LeaseEffect[] = [];
  #highestToken = 0;
  #lastId = 0;

  constructor(options: QuorumOptions) {
    this.owner = options.owner;
    this.settings = options.settings;
    this.times = leaseTimes(options.settings);
    this.needed = majorityOf(options.servers);
  }

  get now(): Now {
    return this.#now ?? { monotonicMs: 0, wallMs: 0 };
  }

  /**
   * How long this node has been at it, as leases count: by the monotonic clock, and by how much further the calendar has gone, for
   * the former stands still on some systems while the machine is suspended. So a calendar that steps ahead can end a lease early;
   * one that steps back makes none last, unless it does so between two looks with a sleep in between.
   */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  look(now: Now): void {
    const last = this.#now ?? now;
    this.#now = now;
    this.#elapsedMs += Math.max(0, now.monotonicMs - last.monotonicMs);
    const aheadMs = now.wallMs - now.monotonicMs;
    this.#wallAheadMs ??= aheadMs;
    // Calendars tell whole milliseconds: what they seem to gain from one look to the next, they do not gain again and again.
    if (Math.abs(aheadMs - this.#wallAheadMs) <= CLOCK_GRAIN_MS) return;
    this.#elapsedMs += Math.max(0, aheadMs - this.#wallAheadMs);
    this.#wallAheadMs = aheadMs;
  }

  emit(effect: LeaseEffect): void {
    this.#effects.push(effect);
  }

  takeEffects(): readonly LeaseEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** For requests, claims and questions alike. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.agenda.at(this.now.monotonicMs + delayMs, run);
  }

  sawToken(token: number): void {
    if (token <= MAX_TOKEN) this.#highestToken = Math.max(this.#highestToken, token);
  }

  /**
   * A token that is likely to be higher than what any server knows, so that all grant the same one and no second round is needed.
   * It is no more than a guess: the calendar plays no part in what is promised about tokens.
   */
  proposeToken(): number {
    return Math.min(MAX_TOKEN, Math.max(this.#highestToken + 1, Math.min(this.wallMicros, SANE_WALL_MICROS)));
  }

  get wallMicros(): number {
    return Math.max(1, Math.floor(this.now.wallMs * 1_000));
  }

  /** Full jitter: others who failed at the same moment do not come back at the same moment. */
  backoffMs(tries: number, key: string): number {
    const most = Math.min(BACKOFF_MS.last, BACKOFF_MS.first * 2 ** Math.min(tries, 16));
    return 1 + (hashText(`${this.owner} ${key} ${tries}`) / 0x1_0000_0000) * most;
  }
}
