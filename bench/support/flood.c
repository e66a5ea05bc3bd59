/*
 * Registered clients and a flood of unregistered ones, from one thread: so that on a machine of two processors the
 * flood takes no time from the clock that measures. Clients ask on a fixed schedule (an open loop), and latency
 * counts from when a query was due; between them the flood is sent, at a rate or as fast as the thread can: 32 packets of
 * a source by one send (UDP_SEGMENT), which the receiver's kernel takes apart again.
 *
 *   flood PORT LEAD SECONDS CLIENT CLIENTS RATE FLOODER SOURCES FLOOD_RATE
 *
 * CLIENT: the first of CLIENTS addresses that ask at RATE. FLOODER: the first of SOURCES addresses of the flood, which comes at
 * FLOOD_RATE: 0 for none, -1 for all that is possible. LEAD: seconds before those that are measured, told by themselves.
 * One line of JSON at the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SLOTS = 64, FLOOD_SLOTS = 2, SEGMENTS = 32, BYTES = 512, IDS = 65536, BUCKETS = 2000000 };
static const double TIMEOUT = 2.0;
static uint32_t client, clientCount, flooder;
static double measuredFrom;
static const unsigned char QUERY[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 'n', 'e', 't', 'f', 'l', 'i', 'x',
                                      3, 'c', 'o', 'm', 0, 0, 1, 0, 1};

struct control {
  _Alignas(8) char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};
static struct control controls[SLOTS];
static unsigned char packets[SLOTS][BYTES];
static struct iovec parts[SLOTS];
static struct mmsghdr messages[SLOTS];
static unsigned char trains[SEGMENTS * sizeof QUERY];
static struct iovec trainPart = {trains, sizeof trains};
static struct control trainControls[FLOOD_SLOTS];
static struct mmsghdr trainMessages[FLOOD_SLOTS];
static unsigned char answers[SLOTS][BYTES];
static struct iovec answerParts[SLOTS];
static struct mmsghdr received[SLOTS];
static double dueAt[IDS];
static unsigned histogram[BUCKETS + 1];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int openSocket(int bufferBytes) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bufferBytes, sizeof bufferBytes);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bufferBytes, sizeof bufferBytes);
  struct sockaddr_in any = {.sin_family = AF_INET};
  if (bind(fd, (struct sockaddr *)&any, sizeof any) != 0) exit(1);
  return fd;
}

static void address(struct control *control, uint32_t source) {
  struct cmsghdr *header = (struct cmsghdr *)control->bytes;
  header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(source)};
  memcpy(CMSG_DATA(header), &info, sizeof info);
}

static void sendAll(int fd, struct mmsghdr *all, int count) {
  for (int done = 0; done < count;) {
    int taken = sendmmsg(fd, all + done, (unsigned)(count - done), 0);
    done += taken > 0 ? taken : 1;
  }
}

static unsigned long answered, answeredInLead, sentInLead, flooded, sent;

static void receive(int fd) {
  int count = recvmmsg(fd, received, SLOTS, MSG_DONTWAIT, NULL);
  double at = now();
  for (int i = 0; i < count; i++) {
    unsigned id = answers[i][0] << 8 | answers[i][1];
    if (dueAt[id] == 0) continue;
    double microseconds = (at - dueAt[id]) * 1e6;
    int isLead = dueAt[id] < measuredFrom;
    dueAt[id] = 0;
    answeredInLead += isLead;
    if (isLead) continue;
    histogram[microseconds < BUCKETS ? (unsigned)microseconds : BUCKETS]++;
    answered++;
  }
}

static unsigned percentile(double share) {
  unsigned long wanted = (unsigned long)((double)answered * share), seen = 0;
  for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
    seen += histogram[bucket];
    if (seen > wanted) return bucket;
  }
  return BUCKETS;
}

static void ask(int fd, double start, double rate, unsigned long due) {
  while (sent < due) {
    int count = due - sent < SLOTS ? (int)(due - sent) : SLOTS;
    for (int i = 0; i < count; i++, sent++) {
      unsigned id = sent % IDS;
      dueAt[id] = start + (double)sent / rate;
      sentInLead += dueAt[id] < measuredFrom;
      packets[i][0] = id >> 8;
      packets[i][1] = id & 255;
      address(&controls[i], client + (uint32_t)(sent * 2654435761u) % clientCount);
    }
    sendAll(fd, messages, count);
  }
}

static void flood(int fd, unsigned sources) {
  static uint32_t state = 2463534242u;
  for (int i = 0; i < FLOOD_SLOTS; i++) {
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    address(&trainControls[i], flooder + state % sources);
  }
  sendAll(fd, trainMessages, FLOOD_SLOTS);
  flooded += FLOOD_SLOTS * SEGMENTS;
}

int main(int count, char **arguments) {
  if (count != 10) return 2;
  double lead = atof(arguments[2]), seconds = atof(arguments[3]), rate = atof(arguments[6]);
  client = ntohl(inet_addr(arguments[4]));
  clientCount = (uint32_t)atoi(arguments[5]);
  flooder = ntohl(inet_addr(arguments[7]));
  unsigned sources = (unsigned)atoi(arguments[8]);
  double floodRate = atof(arguments[9]);
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int clients = openSocket(16 << 20), flooders = openSocket(4096);
  for (int i = 0; i < SLOTS; i++) {
    memcpy(packets[i], QUERY, sizeof QUERY);
    parts[i] = (struct iovec){packets[i], sizeof QUERY};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &target, .msg_namelen = sizeof target, .msg_iov = &parts[i],
                                          .msg_iovlen = 1, .msg_control = controls[i].bytes,
                                          .msg_controllen = sizeof controls[i].bytes};
    answerParts[i] = (struct iovec){answers[i], BYTES};
    received[i].msg_hdr = (struct msghdr){.msg_iov = &answerParts[i], .msg_iovlen = 1};
  }
  int segment = sizeof QUERY;
  setsockopt(flooders, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
  for (int i = 0; i < SEGMENTS; i++) memcpy(trains + i * sizeof QUERY, QUERY, sizeof QUERY);
  for (int i = 0; i < FLOOD_SLOTS; i++) {
    trainMessages[i].msg_hdr = messages[i].msg_hdr;
    trainMessages[i].msg_hdr.msg_iov = &trainPart;
    trainMessages[i].msg_hdr.msg_control = trainControls[i].bytes;
  }
  double start = now(), end = start + lead + seconds, at;
  measuredFrom = start + lead;
  while ((at = now()) < end) {
    ask(clients, start, rate, (unsigned long)((at - start) * rate));
    if (floodRate < 0 || (double)flooded < (at - start) * floodRate) flood(flooders, sources);
    receive(clients);
  }
  while (answered + answeredInLead < sent && now() < end + TIMEOUT) receive(clients);
  sent -= sentInLead;
  printf("{\"sentInLead\":%lu,\"lostInLead\":%lu,\"sent\":%lu,\"lost\":%lu,\"flooded\":%lu,"
         "\"p50Us\":%u,\"p90Us\":%u,\"p99Us\":%u,\"p999Us\":%u}\n",
         sentInLead, sentInLead - answeredInLead, sent, sent - answered, flooded, percentile(0.5), percentile(0.9), percentile(0.99),
         percentile(0.999));
  return 0;
}
