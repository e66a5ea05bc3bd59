import {
  answer,
  type Behaviour,
  bareError,
  caseChanged,
  closeMidMessage,
  cut,
  delay,
  drop,
  echo,
  formerrOnEdns,
  garbage,
  hangUp,
  inTurn,
  malformed,
  questionless,
  refuse,
  soa,
  truncate,
  twice,
  wrongId,
  wrongPort,
  wrongQuestion,
} from './fake-upstream.ts';

/** Default address of `answer`. */
export const ADDRESS = '192.0.2.1';

/** One upstream, kind or malicious, and what must come of asking it for an A record. */
export interface UpstreamCase {
  readonly title: string;
  readonly udp: Behaviour;
  readonly tcp?: Behaviour;
  /** The answer's address, or `rcode N`. */
  readonly shown: string;
  /** Queries over UDP and over TCP. */
  readonly asked: readonly [number, number];
  /** The same if a UDP thread asks first: it hands what is not plain to the resolver, which asks again. */
  readonly forwarded?: readonly [number, number];
}

/** Holds its answer back until it is asked again. */
function whenAskedAgain(): Behaviour {
  let first: (() => void) | undefined;
  return (query, replier) => {
    if (first === undefined) first = () => answer()(query, replier);
    else first();
  };
}

/** Made anew for each path: behaviors keep count. */
export const upstreamCases = (): UpstreamCase[] => [
  { title: 'answers', udp: answer(), shown: ADDRESS, asked: [1, 0] },
  { title: 'answers late, but within the try', udp: delay(20), shown: ADDRESS, asked: [1, 0] },
  {
    title: 'answers after the next try was made',
    udp: whenAskedAgain(),
    shown: ADDRESS,
    asked: [2, 0],
  },
  { title: 'loses the first query', udp: inTurn(drop(), answer()), shown: ADDRESS, asked: [2, 0] },
  { title: 'never answers', udp: drop(), shown: 'rcode 2', asked: [3, 0] },
  { title: 'answers twice', udp: twice(), shown: ADDRESS, asked: [1, 0] },
  { title: 'truncates', udp: truncate(), shown: ADDRESS, asked: [1, 1] },
  { title: 'truncates over TCP too', udp: truncate(), tcp: truncate(), shown: 'rcode 2', asked: [1, 1] },
  {
    title: 'is forged with a few wrong IDs before the answer',
    udp: wrongId(5, answer()),
    shown: ADDRESS,
    asked: [1, 0],
  },
  { title: 'is forged with a flood of wrong IDs', udp: wrongId(30), shown: ADDRESS, asked: [1, 1] },
  { title: 'is forged from another port', udp: wrongPort(answer()), shown: ADDRESS, asked: [1, 0] },
  { title: 'is forged with another question', udp: wrongQuestion(answer()), shown: ADDRESS, asked: [1, 0] },
  { title: 'sends the query back first', udp: echo(answer()), shown: ADDRESS, asked: [1, 0] },
  {
    title: 'sends a malformed reply first, a valid one second',
    udp: malformed(answer()),
    shown: ADDRESS,
    asked: [1, 0],
  },
  { title: 'sends garbage first', udp: garbage(answer()), shown: ADDRESS, asked: [1, 0] },
  { title: 'changes the case of the question', udp: caseChanged(), shown: ADDRESS, asked: [1, 1] },
  {
    title: 'changes the case over TCP too',
    udp: caseChanged(),
    tcp: caseChanged(),
    shown: ADDRESS,
    asked: [1, 1],
  },
  { title: 'says FORMERR to EDNS', udp: formerrOnEdns(), shown: ADDRESS, asked: [2, 0], forwarded: [3, 0] },
  {
    title: 'says FORMERR to EDNS with a header alone',
    udp: formerrOnEdns(true),
    shown: ADDRESS,
    asked: [2, 0],
    forwarded: [3, 0],
  },
  { title: 'says FORMERR to everything', udp: refuse(1), shown: 'rcode 1', asked: [1, 0], forwarded: [2, 0] },
  { title: 'says SERVFAIL', udp: refuse(2), shown: 'rcode 2', asked: [1, 0], forwarded: [2, 0] },
  { title: 'says REFUSED', udp: refuse(5), shown: 'rcode 2', asked: [1, 0], forwarded: [2, 0] },
  {
    title: 'says that the name does not exist',
    udp: answer({ rcode: 3, authorities: [soa(60)] }),
    shown: 'rcode 3',
    asked: [1, 0],
  },
  {
    title: 'refers to other servers instead of asking them',
    udp: answer({
      answers: [],
      authorities: [{ type: 'NS', name: 'example', ttl: 300, data: 'ns.example' }],
      recursionAvailable: false,
    }),
    shown: 'rcode 2',
    asked: [1, 0],
    forwarded: [2, 0],
  },
  {
    title: 'says NODATA without RA and SOA',
    udp: answer({ answers: [], authorities: [], recursionAvailable: false }),
    shown: 'rcode 0',
    asked: [1, 0],
    forwarded: [2, 0],
  },
  { title: 'cuts replies without TC', udp: cut(40), shown: ADDRESS, asked: [1, 1] },
  {
    title: 'says REFUSED with a header alone',
    udp: bareError(5),
    shown: 'rcode 2',
    asked: [1, 0],
    forwarded: [2, 0],
  },
  { title: 'leaves the question out over UDP', udp: questionless(), shown: ADDRESS, asked: [1, 1] },
  {
    title: 'leaves the question out over TCP too',
    udp: questionless(),
    tcp: questionless(),
    shown: 'rcode 2',
    asked: [1, 1],
  },
  {
    title: 'closes TCP in the middle of a reply',
    udp: truncate(),
    tcp: closeMidMessage(),
    shown: 'rcode 2',
    asked: [3, 3],
  },
  {
    title: 'closes TCP without a word, once',
    udp: truncate(),
    tcp: inTurn(hangUp(), answer()),
    shown: ADDRESS,
    asked: [2, 2],
  },
  { title: 'sends garbage over TCP', udp: truncate(), tcp: garbage(), shown: 'rcode 2', asked: [3, 3] },
];
