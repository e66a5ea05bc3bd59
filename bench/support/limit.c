/*
 * The limit of sockets: one thread that receives and sends 64 packets a system call and gives every question the
 * same A record. It reads nothing of a query but where the question ends.
 *
 *   limit PORT [ADDRESS]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { SLOTS = 64, BYTES = 512, HEADER = 12 };

static const unsigned char ANSWER[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 10};

static unsigned answer(unsigned char *packet, unsigned length) {
  unsigned at = HEADER;
  while (at < length && packet[at] != 0) at += packet[at] + 1u;
  at += 5;
  if (length < HEADER || at > length || at + sizeof ANSWER > BYTES) return 0;
  const unsigned char header[] = {0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
  memcpy(packet + 2, header, sizeof header);
  memcpy(packet + at, ANSWER, sizeof ANSWER);
  return at + sizeof ANSWER;
}

int main(int count, char **arguments) {
  static unsigned char packets[SLOTS][BYTES];
  static struct sockaddr_in peers[SLOTS];
  static struct iovec parts[SLOTS], replies[SLOTS];
  static struct mmsghdr received[SLOTS], sent[SLOTS];
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  struct sockaddr_in own = {.sin_family = AF_INET};
  own.sin_port = htons(count > 1 ? atoi(arguments[1]) : 0);
  own.sin_addr.s_addr = inet_addr(count > 2 ? arguments[2] : "127.0.0.1");
  if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0) return 1;
  for (int i = 0; i < SLOTS; i++) {
    parts[i] = (struct iovec){packets[i], BYTES};
    received[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  for (;;) {
    for (int i = 0; i < SLOTS; i++) received[i].msg_hdr.msg_namelen = sizeof peers[i];
    int packetsHere = recvmmsg(fd, received, SLOTS, MSG_WAITFORONE, NULL);
    int answers = 0;
    for (int i = 0; i < packetsHere; i++) {
      unsigned length = answer(packets[i], received[i].msg_len);
      if (length == 0) continue;
      replies[answers] = (struct iovec){packets[i], length};
      sent[answers].msg_hdr = received[i].msg_hdr;
      sent[answers].msg_hdr.msg_iov = &replies[answers];
      answers++;
    }
    for (int done = 0; done < answers;) {
      int taken = sendmmsg(fd, sent + done, answers - done, 0);
      done += taken > 0 ? taken : 1;
    }
  }
}
