import {
  answerCounter,
  Counter,
  QueryPath,
  queryCounter,
  queryDuration,
  Transport,
} from '../../../metrics/index.ts';
import {
  BAD_REPLY,
  buildEntry,
  type CacheHandle,
  CacheWriter,
  EntryScratch,
  EntryView,
  keyFlags,
  keyHash,
  NOT_PLAIN,
  PlainEntryBuilder,
} from '../../../resolver/cache/index.ts';
import {
  Claim,
  type ForwardHandle,
  ForwardState,
  isBareError,
  NO_UPSTREAM,
  RandomSource,
  ReplySurvey,
  Tried,
  UPSTREAM_UDP_SIZE,
  upstreamPeerName,
} from '../../../resolver/forward/index.ts';
import type { PacketSlots } from '../../../sys/index.ts';
import { type Epoll, EpollEvent, PacketBatch } from '../../../sys/index.ts';
import {
  checkingDisabled,
  HEADER_BYTES,
  id,
  isResponse,
  isTruncated,
  lowerCase,
  opcode,
  parseQuestion,
  Question,
  questionCount,
  Rcode,
  RecordClass,
  setAuthenticData,
  setId,
  writeQuery,
} from '../../../wire/index.ts';
import type { QueryState } from '../../answer/query-state.ts';
import { limitLateReply, replyFromAnswer, replyFromCache } from '../../answer/reply.ts';
import {
  DEFERRED_ENDPOINT,
  DEFERRED_HEADER_BYTES,
  type DeferredRecordWriter,
  restoreSource,
  writeDeferredRecord,
} from '../../deferred-record.ts';
import { prefixHash } from '../../rate-limit.ts';
import type { TableUpdate } from '../../table-update.ts';
import { QueryVerdict } from '../../verdict.ts';
import { SLOT_BYTES, UDP_TRAITS } from '../udp-traits.ts';
import { matchQuestion, NONE, PARKED, QUEUED, QuestionMatch, QuestionTable } from './question-table.ts';
import { STREAM, UpstreamSockets } from './upstream-sockets.ts';
import { type StreamListener, UpstreamStream } from './upstream-stream.ts';
import { MAX_WAITING_QUERY_BYTES, WaiterTable } from './waiter-table.ts';

/** Queries that leave by one socket. */
const PER_DRAW = 16;
const REPLY_SLOTS = 64;
/** False replies to one question that are ignored; the next moves it to a stream, as the resolver has it. */
const MAX_FALSE_REPLIES = 8;
/** A question that was handed over goes to the resolver for so long, so that only one of us asks it. */
const SLOW_SECONDS = 5;
/** A reply may come this late and still serve; and so many questions are kept for that. */
const LINGER_MS = 5000;
const MAX_LINGERING = 1024;
/** Share of one zone in the 4096 questions; past it the resolver's shares decide. */
const QUESTIONS_PER_ZONE = 1024;
/** Between two looks whether the thread that asks a parked question has its answer. */
const PARKED_MS = 1;

/** Where answers leave: the thread's sockets and their batches, by listener. */
export interface ForwardListeners {
  readonly fds: readonly number[];
  readonly batches: readonly PacketBatch[];
}

export interface MissForwarderOptions {
  readonly state: QueryState;
  readonly records: DeferredRecordWriter;
  readonly cache: CacheHandle;
  readonly forward: ForwardHandle;
  /** This thread's number, for its report. */
  readonly index: number;
  readonly listeners: ForwardListeners;
  readonly epoll: Epoll;
  /** Socket i is known to the epoll as firstTag + i. */
  readonly firstTag: number;
  readonly fillRandom: (bytes: Uint8Array) => void;
  readonly clockInto: (out: Float64Array) => void;
}

/**
 * Asks the upstream for plain misses in the thread that received them: over UDP or TLS, one question once, matching replies
 * in place by socket, ID and question with its case, storing them in the cache and answering all clients that wait. All else
 * goes to the resolver: no stream yet, no reply in time, TC, another case, floods of false replies, replies without an answer.
 * Nothing is allocated, but for replies that PlainEntryBuilder leaves to buildEntry and for new sockets.
 */
export class MissForwarder implements StreamListener {
  private readonly state: QueryState;
  private readonly records: DeferredRecordWriter;
  private readonly forward: ForwardState;
  private readonly handle: ForwardHandle;
  private upstreams: ForwardHandle['upstreams'];
  private readonly index: number;
  private readonly listeners: ForwardListeners;
  private readonly sockets: UpstreamSockets;
  private readonly stream: UpstreamStream;
  private isEncrypted = false;
  private readonly random: RandomSource;
  private cache: CacheWriter;
  private readonly clockInto: (out: Float64Array) => void;
  private readonly questions = new QuestionTable();
  private readonly waiters = new WaiterTable();
  private readonly queries = new PacketBatch(REPLY_SLOTS, 512, false);
  private readonly replies = new PacketBatch(REPLY_SLOTS, SLOT_BYTES, false);
  private readonly builder = new PlainEntryBuilder();
  private readonly built = new EntryView(
    this.builder.encoder.bytes.buffer,
    0,
    this.builder.encoder.bytes.length,
  );
  private readonly generic = new EntryScratch();
  private readonly survey = new ReplySurvey();
  private readonly request = { question: new Question(), dnssecOk: false, checkingDisabled: false };
  private readonly fields = {
    id: 0,
    name: new Uint8Array(0),
    nameLength: 0,
    type: 0,
    qclass: 0,
    checkingDisabled: false,
    udpSize: UPSTREAM_UDP_SIZE as number | null,
    dnssecOk: false,
  };
  private readonly deadline = new Float64Array(1);
  private readonly received = new Float64Array(1);
  /** Questions to be sent at the end of the batch. */
  private readonly queued = new Int16Array(REPLY_SLOTS);
  private queuedCount = 0;
  private readonly answerCounts: Uint8Array;
  private parked = 0;
  private handedOver = 0;
  private isCleared = true;
  private upstream: number = NO_UPSTREAM;

  constructor(options: MissForwarderOptions) {
    this.state = options.state;
    this.records = options.records;
    this.handle = options.forward;
    this.upstreams = options.forward.upstreams;
    this.forward = new ForwardState(options.forward);
    this.index = options.index;
    this.listeners = options.listeners;
    this.random = new RandomSource(options.fillRandom);
    this.sockets = new UpstreamSockets(options.epoll, options.firstTag, this.random);
    const { authorities } = options.forward;
    this.stream = new UpstreamStream(options.epoll, options.firstTag + STREAM, this, authorities);
    this.cache = new CacheWriter(options.cache);
    this.clockInto = options.clockInto;
    this.answerCounts = new Uint8Array(options.listeners.fds.length);
  }

  /** True while replies are awaited: the thread has to wait for upstreams as well. */
  get isWaiting(): boolean {
    return this.questions.count > 0 || this.stream.isOpening;
  }

  /** Switches to another cache, and learns of further upstreams. */
  attach({ cache, upstreams }: TableUpdate): void {
    if (cache !== undefined) this.cache = new CacheWriter(cache);
    if (upstreams !== undefined) this.upstreams = upstreams;
  }

  /** Takes note of the policy; before each batch. */
  refreshPolicy(): void {
    const { upstream } = this.forward;
    if (upstream === this.upstream) return;
    this.upstream = upstream;
    const config = this.upstreams[upstream];
    const name = config === undefined ? null : upstreamPeerName(config);
    const peer =
      config === undefined || name === null
        ? null
        : { ...config, name, address: config.address.split('%')[0] };
    this.isEncrypted = peer?.scheme === 'tls';
    this.sockets.use(this.isEncrypted ? null : peer);
    this.stream.use(this.isEncrypted && peer !== null ? peer : null);
  }

  /**
   * Takes the query in slot i, which `state` was just decided for.
   * @returns false if it is not a plain case: the caller defers it to the resolver
   */
  take(batch: PacketSlots, i: number, listener: number): boolean {
    const { state, questions, waiters, forward } = this;
    const { question, edns } = state;
    const message = batch.data[i];
    const length = batch.lengths[i];
    if (this.upstream === NO_UPSTREAM || state.profile === 0 || question.qclass !== RecordClass.IN)
      return false;
    if (length > MAX_WAITING_QUERY_BYTES || waiters.isFull) return false;
    const prefix = prefixHash(state.source.family, state.source.words, state.seed);
    if (waiters.waiting(prefix) >= forward.questionsPerSource) return false;
    const flags = keyFlags(edns.dnssecOk, checkingDisabled(message));
    const key = keyHash(question.hashes[0], question.type, question.qclass, flags) | 0;
    if (forward.isSlow(key, state.nowSeconds)) return false;
    if (this.isEncrypted && !this.stream.isOpen) {
      this.stream.want(state.clock);
      return false;
    }
    let q = questions.find(key, question, flags);
    if (q === NONE) {
      const { hashes, name } = question;
      const zone = hashes[name.labelCount > 2 ? name.labelCount - 2 : 0];
      if (questions.isFull || questions.inZone(zone) >= QUESTIONS_PER_ZONE) return false;
      if (this.queuedCount === REPLY_SLOTS) return false;
      q = this.begin(key, flags, zone, message);
    } else state.counters.increment(Counter.COALESCED);
    const w = waiters.add(length, prefix, questions.firstWaiters[q]);
    questions.firstWaiters[q] = w;
    const at = waiters.offset(w);
    const target = listener + batch.targets[i];
    writeDeferredRecord(waiters.bytes, waiters.view, at, state, message, length, target, batch, i);
    return true;
  }

  /** Sends what a batch has queued, and wakes the resolver if something was handed over. */
  flush(): void {
    if (this.isEncrypted) this.sendQueuedByStream();
    for (let from = 0; from < this.queuedCount; from += PER_DRAW) {
      const rest = this.queuedCount - from;
      this.sendQueued(from, rest < PER_DRAW ? rest : PER_DRAW);
    }
    this.queuedCount = 0;
    this.wakeResolver();
  }

  /** Reads replies of a socket. @param events reported by epoll @returns replies read */
  receive(socket: number, events: number): number {
    const { sockets, replies, state } = this;
    if (socket === STREAM) {
      state.readClock(this.clockInto);
      return this.stream.receive(state.clock);
    }
    const fd = sockets.fd(socket);
    if (fd < 0) return 0;
    const count = replies.receive(fd, false);
    if (count > 0) state.readClock(this.clockInto);
    for (let i = 0; i < count; i++) this.takeReply(socket, replies.data[i], replies.lengths[i]);
    if (count === 0 && (events & EpollEvent.ERR) !== 0) this.failSocket(socket);
    return count;
  }

  /**
   * Ends a turn: sends the answers, and looks at parked questions and deadlines.
   * @param isDrained false if sockets may hold unread replies: a thread that was held up must read them before it gives
   *   questions up, because asking all of them again would hold it up for longer
   */
  finishTurn(isDrained: boolean): void {
    this.state.readClock(this.clockInto);
    if (this.stream.hasMore) this.stream.receive(this.state.clock);
    if (this.parked > 0) this.lookAtParked();
    if (isDrained && !this.stream.hasMore) this.expire();
    this.stream.tick(this.state.clock, this.questions.count);
    this.sendAnswers();
    this.flush();
  }

  /** Milliseconds until the next turn is due, `most` at most. */
  waitMs(most: number): number {
    const { questions } = this;
    if (this.stream.hasMore) return 0;
    if (this.parked > 0) return PARKED_MS;
    if (questions.first === NONE) return most;
    const left = Math.ceil(questions.deadlinesMs[questions.first] - this.state.clock[0]);
    return left < 0 ? 0 : left < most ? left : most;
  }

  /** Zeroes what served questions have left in the batches. For idle moments, without outstanding questions. */
  clear(): void {
    this.state.readClock(this.clockInto);
    this.stream.tick(this.state.clock, this.questions.count);
    if (this.isCleared) return;
    this.isCleared = true;
    this.stream.clear();
    this.replies.clear();
    for (let i = 0; i < REPLY_SLOTS; i++) this.queries.data[i].fill(0);
  }

  /** Hands all questions to the resolver: the thread ends. */
  close(): void {
    while (this.questions.firstLingering !== NONE) this.drop(this.questions.firstLingering);
    while (this.questions.first !== NONE) this.handOver(this.questions.first, Tried.NOTHING);
    this.wakeResolver();
    this.sockets.closeAll();
    this.stream.close();
  }

  /** See StreamListener. */
  streamReply(bytes: Uint8Array, length: number): void {
    this.takeReply(STREAM, bytes, length);
  }

  /** See StreamListener. */
  longReply(id: number): void {
    const q = this.questions.findReply(STREAM, id);
    if (q === NONE) this.ignore(STREAM);
    else if (this.questions.lingers[q] === 1) this.drop(q);
    else this.handOver(q, Tried.TRUNCATED);
  }

  /** See StreamListener: the resolver asks again, over a connection of its own. */
  streamEnded(): void {
    const { questions } = this;
    for (let q = questions.first; q !== NONE; ) {
      const next = questions.next[q];
      if (questions.sockets[q] === STREAM) this.handOver(q, Tried.NOTHING);
      q = next;
    }
    for (let q = questions.firstLingering; q !== NONE; ) {
      const next = questions.next[q];
      if (questions.sockets[q] === STREAM) this.drop(q);
      q = next;
    }
  }

  private begin(key: number, flags: number, zone: number, message: Uint8Array): number {
    const { questions, state, forward, deadline } = this;
    deadline[0] = state.clock[0] + forward.waitMs;
    const q = questions.add(key, flags, zone, deadline);
    this.writeQuery(q, message);
    const claim = forward.claim(key, state.nowSeconds);
    if (claim === Claim.HELD) this.parked++;
    else this.enqueue(q, claim);
    return q;
  }

  private enqueue(q: number, claim: Claim): void {
    const { questions } = this;
    questions.hasClaim[q] = claim === Claim.TAKEN ? 1 : 0;
    questions.sockets[q] = QUEUED;
    this.queued[this.queuedCount++] = q;
  }

  /** Writes the query afresh, so that nothing of the client's goes with it; see resolver/query.ts. */
  private writeQuery(q: number, message: Uint8Array): void {
    const { questions, state, fields, forward } = this;
    const { question, edns } = state;
    const query = this.queries.data[0];
    this.isCleared = false;
    fields.name = question.name.bytes;
    fields.nameLength = question.name.length;
    fields.type = question.type;
    fields.qclass = question.qclass;
    fields.checkingDisabled = checkingDisabled(message);
    fields.dnssecOk = edns.dnssecOk;
    fields.udpSize = forward.knowsEdns ? UPSTREAM_UDP_SIZE : null;
    const length = writeQuery(query, fields);
    setAuthenticData(query);
    const nameEnd = HEADER_BYTES + question.name.length;
    if (forward.keepsCase) this.random.mixCase(query, HEADER_BYTES, nameEnd);
    questions.lengths[q] = length;
    questions.questionEnds[q] = nameEnd + 4;
    const at = questions.offset(q);
    for (let i = 0; i < length; i++) questions.bytes[at + i] = query[i];
  }

  /** Sends `count` queued questions by one socket, under IDs drawn at random. */
  private sendQueued(from: number, count: number): void {
    const { queries, questions, sockets, state } = this;
    const socket = sockets.draw(state.clock);
    if (socket < 0) {
      for (let i = 0; i < count; i++) this.handOver(this.queued[from + i], Tried.NOTHING);
      return;
    }
    for (let i = 0; i < count; i++) {
      const q = this.queued[from + i];
      let messageId = this.random.u16();
      while (questions.findReply(socket, messageId) !== NONE) messageId = this.random.u16();
      questions.send(q, socket, messageId);
      questions.sentMs[q] = state.clock[0];
      sockets.hold(socket);
      const query = queries.data[i];
      const at = questions.offset(q);
      const length = questions.lengths[q];
      for (let k = 0; k < length; k++) query[k] = questions.bytes[at + k];
      setId(query, messageId);
      queries.lengths[i] = length;
    }
    state.counters.add(Counter.UPSTREAM_QUERIES, count);
    if (queries.forward(sockets.fd(socket), 0, count) < count) this.failSocket(socket);
  }

  /** Sends all queued questions over the stream, in one write. */
  private sendQueuedByStream(): void {
    const { questions, stream, state } = this;
    for (let i = 0; i < this.queuedCount; i++) {
      const q = this.queued[i];
      const { questionEnds, lengths } = questions;
      let messageId = this.random.u16();
      while (questions.findReply(STREAM, messageId) !== NONE) messageId = this.random.u16();
      const at = questions.offset(q);
      if (stream.send(questions.bytes, at, lengths[q], questionEnds[q], messageId, state.clock)) {
        questions.send(q, STREAM, messageId);
        questions.sentMs[q] = state.clock[0];
        state.counters.increment(Counter.UPSTREAM_QUERIES);
      } else this.handOver(q, Tried.NOTHING);
    }
    this.queuedCount = 0;
    stream.flush();
  }

  private takeReply(socket: number, message: Uint8Array, length: number): void {
    const { questions } = this;
    if (length < HEADER_BYTES || !isResponse(message) || opcode(message) !== 0) {
      this.ignore(socket);
      return;
    }
    const q = questions.findReply(socket, id(message));
    if (q === NONE) {
      this.takeStray(socket, message, length);
      return;
    }
    if (questions.lingers[q] === 1) {
      this.takeLate(q, socket, message, length);
      return;
    }
    if (questionCount(message) === 0) {
      // As servers send that could not read the query. The resolver asks again, if need be without EDNS.
      if (isBareError(message)) this.handOver(q, Tried.DECLINED);
      else this.noteUnreadable(q);
      return;
    }
    const match =
      questionCount(message) === 1 ? matchQuestion(questions, q, message, length) : QuestionMatch.OTHER;
    if (match === QuestionMatch.OTHER) this.countFalse(q, socket);
    else if (match === QuestionMatch.OTHER_CASE && this.forward.keepsCase) {
      this.countFalseReply(socket);
      this.handOver(q, Tried.DOUBTFUL);
    } else if (isTruncated(message)) this.handOver(q, Tried.TRUNCATED);
    else if (!this.survey.read(message, length, questions.questionEnds[q])) this.noteUnreadable(q);
    else this.takeAnswer(q, message, length);
  }

  private takeAnswer(q: number, message: Uint8Array, length: number): void {
    const { survey, questions, state, forward } = this;
    const isAnswer = survey.rcode === Rcode.NOERROR || survey.rcode === Rcode.NXDOMAIN;
    if (!isAnswer || survey.isLame) {
      this.handOver(q, Tried.DECLINED);
      return;
    }
    const view = this.readAnswer(q, message, length);
    if (view === null) {
      this.noteUnreadable(q);
      return;
    }
    forward.reportReply(this.index, ((state.clock[0] - questions.sentMs[q]) * 1000) | 0);
    this.answer(q, view);
  }

  /** The resolver asks meanwhile: it is given the reply, and the cache as well. */
  private takeLate(q: number, socket: number, message: Uint8Array, length: number): void {
    const { questions, survey, records, state, forward } = this;
    const isFit =
      questionCount(message) === 1 &&
      matchQuestion(questions, q, message, length) === QuestionMatch.SAME &&
      survey.read(message, length, questions.questionEnds[q]);
    if (!isFit) {
      this.ignore(socket);
      return;
    }
    const isAnswer = survey.rcode === Rcode.NOERROR || survey.rcode === Rcode.NXDOMAIN;
    if (isAnswer && !survey.isLame && !isTruncated(message) && this.readAnswer(q, message, length) !== null) {
      forward.reportReply(this.index, ((state.clock[0] - questions.sentMs[q]) * 1000) | 0);
      if (records.writeLate(message, length, questions.flags[q])) this.handedOver++;
    }
    this.drop(q);
  }

  /** Makes an entry of the reply and stores it. @returns null if it is malformed */
  private readAnswer(q: number, message: Uint8Array, length: number): EntryView | null {
    const { request, state, questions, builder, survey } = this;
    const { question } = request;
    // Names that point at the question's must not take on the case that was made up for it.
    const nameEnd = questions.questionEnds[q] - 4;
    for (let i = HEADER_BYTES; i < nameEnd; i++) message[i] = lowerCase(message[i]);
    if (!parseQuestion(message, length, state.seed, question)) return null;
    request.dnssecOk = (questions.flags[q] & 1) !== 0;
    request.checkingDisabled = (questions.flags[q] & 2) !== 0;
    const { ttlLimits } = this.handle;
    const { nowSeconds } = state;
    const bytes = builder.build(request, message, length, survey.rcode, nowSeconds, ttlLimits);
    if (bytes === BAD_REPLY) return null;
    if (bytes !== NOT_PLAIN) {
      if (builder.cacheable) this.cache.store(builder.encoder.bytes, bytes);
      this.built.open(0, nowSeconds);
      return this.built;
    }
    const entry = buildEntry(request, message, length, state.clock[0], ttlLimits);
    if (entry === null) return null;
    if (entry.cacheable) this.cache.store(entry.entry);
    return this.generic.load(entry.entry, nowSeconds);
  }

  /** A reply whose ID nobody awaits on this socket: late, or forged by somebody who guesses IDs. */
  private takeStray(socket: number, message: Uint8Array, length: number): void {
    const { request, questions, state } = this;
    const { question } = request;
    this.ignore(socket);
    if (questionCount(message) !== 1 || !parseQuestion(message, length, state.seed, question)) return;
    for (let flags = 0; flags < 4; flags++) {
      const key = keyHash(question.hashes[0], question.type, question.qclass, flags) | 0;
      const q = questions.find(key, question, flags);
      if (q !== NONE && questions.sockets[q] === socket) this.countFalse(q, socket);
    }
  }

  /** Malformed, or cut without TC. If it is forged, the true reply follows; else the resolver asks over a stream. */
  private noteUnreadable(q: number): void {
    this.questions.unreadable[q] = 1;
    this.countFalse(q, this.questions.sockets[q]);
  }

  private countFalse(q: number, socket: number): void {
    this.ignore(socket);
    if (++this.questions.falseReplies[q] > MAX_FALSE_REPLIES) this.handOver(q, Tried.DOUBTFUL);
  }

  private ignore(socket: number): void {
    this.countFalseReply(socket);
    this.state.counters.increment(Counter.UPSTREAM_MISMATCHES);
  }

  private countFalseReply(socket: number): void {
    if (socket === STREAM) this.stream.countFalse();
    else this.sockets.countFalse(socket);
  }

  /** The network says that nobody is there: the resolver finds out what to do. */
  private failSocket(socket: number): void {
    const { questions, sockets, forward } = this;
    sockets.fail(socket);
    for (let q = questions.first; q !== NONE; ) {
      const next = questions.next[q];
      if (questions.sockets[q] === socket) {
        forward.reportTimeout(this.index);
        this.handOver(q, Tried.SILENT);
      }
      q = next;
    }
  }

  private expire(): void {
    const { questions, state, forward } = this;
    while (
      questions.firstLingering !== NONE &&
      questions.deadlinesMs[questions.firstLingering] <= state.clock[0]
    ) {
      this.drop(questions.firstLingering);
    }
    for (;;) {
      const q = questions.first;
      if (q === NONE || questions.deadlinesMs[q] > state.clock[0]) return;
      if (questions.sockets[q] === PARKED) this.handOver(q, Tried.NOTHING);
      else {
        const isUnreadable = questions.unreadable[q] === 1;
        if (!isUnreadable) forward.reportTimeout(this.index);
        state.counters.increment(Counter.UPSTREAM_FAILURES);
        const sentMs = questions.sockets[q] === STREAM ? questions.sentMs[q] : null;
        this.handOver(q, isUnreadable ? Tried.DOUBTFUL : Tried.SILENT);
        if (sentMs !== null) this.stream.noteTimeout(sentMs);
      }
    }
  }

  /** Parked questions whose thread is done: from the cache, or asked by us. */
  private lookAtParked(): void {
    const { questions, forward, state, deadline } = this;
    let left = this.parked;
    for (let q = questions.first; q !== NONE && left > 0 && this.queuedCount < REPLY_SLOTS; ) {
      const next = questions.next[q];
      if (questions.sockets[q] === PARKED) {
        left--;
        const key = questions.keys[q];
        if (forward.isClaimed(key) || this.answerFromCache(q)) {
          q = next;
          continue;
        }
        const claim = forward.isSlow(key, state.nowSeconds)
          ? Claim.HELD
          : forward.claim(key, state.nowSeconds);
        if (claim === Claim.HELD) this.handOver(q, Tried.NOTHING);
        else {
          this.parked--;
          deadline[0] = state.clock[0] + forward.waitMs;
          questions.defer(q, deadline);
          this.enqueue(q, claim);
        }
      }
      q = next;
    }
  }

  /** Answers a parked question's waiters if the cache has the answer. */
  private answerFromCache(q: number): boolean {
    const { state, questions, waiters } = this;
    let w = questions.firstWaiters[q];
    if (w === NONE) return true;
    const first = this.beginAnswer(w);
    if (!replyFromCache(state, first, UDP_TRAITS)) return false;
    limitLateReply(state, first, QueryVerdict.CACHED, UDP_TRAITS);
    this.finishAnswer(w, QueryVerdict.CACHED);
    for (w = waiters.next[w]; w !== NONE; w = waiters.next[w]) {
      const message = this.beginAnswer(w);
      if (!replyFromCache(state, message, UDP_TRAITS)) continue;
      limitLateReply(state, message, QueryVerdict.CACHED, UDP_TRAITS);
      this.finishAnswer(w, QueryVerdict.CACHED);
    }
    this.drop(q);
    return true;
  }

  private answer(q: number, view: EntryView): void {
    const { questions, waiters, state } = this;
    for (let w = questions.firstWaiters[q]; w !== NONE; w = waiters.next[w]) {
      const message = this.beginAnswer(w);
      // Truncating changes the view's counts.
      view.open(0, state.nowSeconds);
      replyFromAnswer(state, message, view, UDP_TRAITS);
      this.finishAnswer(w, QueryVerdict.RESOLVED);
    }
    this.drop(q);
  }

  /** Copies a waiter's query to the next slot of its listener's batch, and sets the state by it. */
  private beginAnswer(w: number): Uint8Array {
    const { waiters, state, answerCounts, listeners } = this;
    const at = waiters.offset(w);
    const listener = waiters.bytes[at];
    const batch = listeners.batches[listener];
    if (answerCounts[listener] === batch.slots) this.sendAnswersOf(listener);
    const message = batch.data[answerCounts[listener]];
    const length = waiters.queryLengths[w];
    const query = at + DEFERRED_HEADER_BYTES;
    for (let i = 0; i < length; i++) message[i] = waiters.bytes[query + i];
    restoreSource(waiters.bytes, waiters.view, at, state, this.received);
    state.encrypted = false;
    state.read(message, length);
    return message;
  }

  private finishAnswer(w: number, verdict: QueryVerdict): void {
    const { waiters, state, answerCounts, listeners } = this;
    const at = waiters.offset(w);
    const listener = waiters.bytes[at];
    const batch = listeners.batches[listener];
    const slot = answerCounts[listener]++;
    batch.writeEndpoint(slot, waiters.bytes, at + DEFERRED_ENDPOINT);
    batch.replyLengths[slot] = state.replyLength;
    const { counters } = state;
    counters.increment(queryCounter(Transport.UDP, verdict));
    counters.increment(answerCounter(Transport.UDP, state.rcode));
    counters.observeBetween(queryDuration(QueryPath.RESOLVED), this.received, state.clock, 1);
  }

  private sendAnswers(): void {
    for (let listener = 0; listener < this.answerCounts.length; listener++) this.sendAnswersOf(listener);
  }

  /** Sends the answers written so far; required before a listener's batch is used for anything else. */
  sendAnswersOf(listener: number): void {
    const count = this.answerCounts[listener];
    if (count === 0) return;
    this.answerCounts[listener] = 0;
    this.listeners.batches[listener].send(this.listeners.fds[listener], count);
  }

  /** Gives a question and its waiters to the resolver. */
  private handOver(q: number, tried: Tried): void {
    const { questions, waiters, records, state, forward } = this;
    if (tried !== Tried.NOTHING) forward.markSlow(questions.keys[q], state.nowSeconds + SLOW_SECONDS);
    for (let w = questions.firstWaiters[q]; w !== NONE; w = waiters.next[w]) {
      const at = waiters.offset(w);
      const length = DEFERRED_HEADER_BYTES + waiters.queryLengths[w];
      const isWritten = records.writeTried(waiters.bytes, at, length, tried);
      state.counters.increment(isWritten ? Counter.DEFERRED : Counter.DEFER_OVERFLOW);
    }
    this.handedOver++;
    if (tried === Tried.SILENT && questions.sockets[q] >= 0) this.linger(q);
    else this.drop(q);
  }

  private linger(q: number): void {
    const { questions, deadline, state } = this;
    if (questions.lingering >= MAX_LINGERING) this.drop(questions.firstLingering);
    this.endClients(q);
    deadline[0] = state.clock[0] + LINGER_MS;
    questions.linger(q, deadline);
  }

  /** Frees the waiters and the claim. */
  private endClients(q: number): void {
    const { questions, waiters, forward } = this;
    for (let w = questions.firstWaiters[q]; w !== NONE; ) w = waiters.remove(w);
    questions.firstWaiters[q] = NONE;
    if (questions.hasClaim[q] === 1) forward.release(questions.keys[q]);
    questions.hasClaim[q] = 0;
  }

  private wakeResolver(): void {
    if (this.handedOver === 0) return;
    this.handedOver = 0;
    this.records.wake();
  }

  /** Ends a question: its waiters, its claim and its socket are free again. */
  private drop(q: number): void {
    const { questions, sockets } = this;
    const socket = questions.sockets[q];
    this.endClients(q);
    if (socket === PARKED) this.parked--;
    questions.remove(q);
    if (socket >= 0 && socket !== STREAM) sockets.release(socket);
  }
}
