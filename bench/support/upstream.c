/*
 * A resolver that gives every question the same A record after a fixed time, as one that has to ask further does.
 * One thread, 64 packets a system call; replies leave in the order of their queries. Over TCP as well (RFC 7766), for a
 * program before it that ends TLS.
 *
 *   upstream PORT DELAY_MS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, BYTES = 512, HEADER = 12, WAITING = 1 << 16, STREAMS = 64, STREAM_BYTES = 1 << 16 };

struct waiting {
  long long due;
  struct sockaddr_in peer;
  /* The stream that it came by; NULL: UDP. */
  struct stream *stream;
  unsigned generation;
  unsigned length;
  unsigned char packet[BYTES];
};

static const unsigned char ANSWER[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 10};
static const unsigned char OPT[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
/* A connection; its generation tells a reply's from a later one's in the same place. */
struct stream {
  int fd;
  unsigned generation, received, given;
  unsigned char in[STREAM_BYTES], out[STREAM_BYTES];
};

static struct stream streams[STREAMS];
static struct waiting queue[WAITING];
static unsigned head, tail;

static long long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static unsigned answer(unsigned char *packet, unsigned length) {
  unsigned at = HEADER;
  if (length < HEADER) return 0;
  while (at < length && packet[at] != 0) at += packet[at] + 1u;
  at += 5;
  if (at > length || at + sizeof ANSWER + sizeof OPT > BYTES) return 0;
  unsigned char has_opt = packet[11] > 0;
  const unsigned char header[] = {0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, has_opt};
  memcpy(packet + 2, header, sizeof header);
  memcpy(packet + at, ANSWER, sizeof ANSWER);
  at += sizeof ANSWER;
  if (has_opt) memcpy(packet + at, OPT, sizeof OPT);
  return at + (has_opt ? sizeof OPT : 0);
}

static int bound(int kind, int port) {
  int fd = socket(AF_INET, kind, 0);
  int buffer = 16 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd, (struct sockaddr *)&own, sizeof own) == 0 ? fd : -1;
}

static void take(int fd, long long delay) {
  static struct iovec parts[SLOTS];
  static struct mmsghdr received[SLOTS];
  unsigned room = WAITING - (head - tail);
  unsigned slots = room < SLOTS ? room : SLOTS;
  for (unsigned i = 0; i < slots; i++) {
    struct waiting *next = &queue[(head + i) % WAITING];
    parts[i] = (struct iovec){next->packet, BYTES};
    received[i].msg_hdr = (struct msghdr){.msg_name = &next->peer, .msg_namelen = sizeof next->peer};
    received[i].msg_hdr.msg_iov = &parts[i];
    received[i].msg_hdr.msg_iovlen = 1;
  }
  int here = slots == 0 ? 0 : recvmmsg(fd, received, slots, MSG_DONTWAIT, NULL);
  long long due = nanoseconds() + delay;
  for (int i = 0; i < here; i++) {
    struct waiting *next = &queue[head++ % WAITING];
    next->due = due;
    next->stream = NULL;
    next->length = answer(next->packet, received[i].msg_len);
  }
}

static void take_connection(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  for (int i = 0; fd >= 0 && i < STREAMS; i++) {
    if (streams[i].fd != 0) continue;
    streams[i].fd = fd;
    streams[i].generation++;
    streams[i].received = streams[i].given = 0;
    return;
  }
  if (fd >= 0) close(fd);
}

static void end_stream(struct stream *stream) {
  close(stream->fd);
  stream->fd = 0;
  stream->generation++;
}

static void take_stream(struct stream *stream, long long delay) {
  ssize_t here = recv(stream->fd, stream->in + stream->received, STREAM_BYTES - stream->received, MSG_DONTWAIT);
  if (here <= 0) {
    end_stream(stream);
    return;
  }
  stream->received += here;
  unsigned at = 0;
  long long due = nanoseconds() + delay;
  while (stream->received - at >= 2 && head - tail < WAITING) {
    unsigned length = stream->in[at] << 8 | stream->in[at + 1];
    if (length > BYTES || stream->received - at < 2 + length) break;
    struct waiting *next = &queue[head++ % WAITING];
    memcpy(next->packet, stream->in + at + 2, length);
    next->due = due;
    next->stream = stream;
    next->generation = stream->generation;
    next->length = answer(next->packet, length);
    at += 2 + length;
  }
  memmove(stream->in, stream->in + at, stream->received -= at);
}

/* Replies of one turn leave in one write; what the other side does not take ends the stream. */
static void put(struct stream *stream, const struct waiting *reply) {
  if (stream->generation != reply->generation || stream->given + 2 + reply->length > STREAM_BYTES) return;
  stream->out[stream->given++] = reply->length >> 8;
  stream->out[stream->given++] = reply->length;
  memcpy(stream->out + stream->given, reply->packet, reply->length);
  stream->given += reply->length;
}

static void flush(void) {
  for (int i = 0; i < STREAMS; i++) {
    struct stream *stream = &streams[i];
    if (stream->fd == 0 || stream->given == 0) continue;
    if (send(stream->fd, stream->out, stream->given, MSG_DONTWAIT | MSG_NOSIGNAL) != stream->given) end_stream(stream);
    stream->given = 0;
  }
}

static void give(int fd) {
  static struct iovec parts[SLOTS];
  static struct mmsghdr sent[SLOTS];
  int count = 0;
  long long now = nanoseconds();
  for (; tail != head && queue[tail % WAITING].due <= now && count < SLOTS; tail++) {
    struct waiting *next = &queue[tail % WAITING];
    if (next->length == 0) continue;
    if (next->stream != NULL) {
      put(next->stream, next);
      continue;
    }
    parts[count] = (struct iovec){next->packet, next->length};
    sent[count].msg_hdr = (struct msghdr){.msg_name = &next->peer, .msg_namelen = sizeof next->peer};
    sent[count].msg_hdr.msg_iov = &parts[count];
    sent[count].msg_hdr.msg_iovlen = 1;
    count++;
  }
  for (int done = 0; done < count;) {
    int taken = sendmmsg(fd, sent + done, count - done, 0);
    done += taken > 0 ? taken : 1;
  }
  flush();
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int port = atoi(arguments[1]);
  int fd = bound(SOCK_DGRAM, port);
  int listener = bound(SOCK_STREAM, port);
  long long delay = atoll(arguments[2]) * 1000000ll;
  if (fd < 0 || listener < 0 || listen(listener, STREAMS) != 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    short wanted = head - tail < WAITING ? POLLIN : 0;
    struct pollfd readable[2 + STREAMS] = {{.fd = fd, .events = wanted}, {.fd = listener, .events = POLLIN}};
    for (int i = 0; i < STREAMS; i++) {
      readable[2 + i] = (struct pollfd){.fd = streams[i].fd == 0 ? -1 : streams[i].fd, .events = wanted};
    }
    long long left = tail == head ? 1000000000ll : queue[tail % WAITING].due - nanoseconds();
    struct timespec wait = {.tv_sec = left / 1000000000ll, .tv_nsec = left > 0 ? left % 1000000000ll : 0};
    if (left < 0) wait.tv_sec = 0;
    ppoll(readable, 2 + STREAMS, &wait, NULL);
    take(fd, delay);
    if (readable[1].revents != 0) take_connection(listener);
    for (int i = 0; i < STREAMS; i++) {
      if (readable[2 + i].revents != 0 && streams[i].fd == readable[2 + i].fd) take_stream(&streams[i], delay);
    }
    give(fd);
  }
}
