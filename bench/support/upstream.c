/*
 * A resolver that gives every question the same A record after a fixed time, as one that has to ask further does.
 * One thread, 64 packets a system call; replies leave in the order of their queries.
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

enum { SLOTS = 64, BYTES = 512, HEADER = 12, WAITING = 1 << 16 };

struct waiting {
  long long due;
  struct sockaddr_in peer;
  unsigned length;
  unsigned char packet[BYTES];
};

static const unsigned char ANSWER[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 10};
static const unsigned char OPT[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
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

static int bound(int port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
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
    next->length = answer(next->packet, received[i].msg_len);
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
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int fd = bound(atoi(arguments[1]));
  long long delay = atoll(arguments[2]) * 1000000ll;
  if (fd < 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    long long left = tail == head ? 1000000000ll : queue[tail % WAITING].due - nanoseconds();
    struct timespec wait = {.tv_sec = left / 1000000000ll, .tv_nsec = left > 0 ? left % 1000000000ll : 0};
    if (left < 0) wait.tv_sec = 0;
    ppoll(&readable, head - tail < WAITING ? 1 : 0, &wait, NULL);
    take(fd, delay);
    give(fd);
  }
}
