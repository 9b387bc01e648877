/* Follows all events of rtvoiced and knows when it missed some: docs/ipc.md, "Never miss an event".
 *
 * cc -o subscriber subscriber.c -lzmq && ./subscriber
 *
 * No JSON library: the envelope's fields stand in front of the data. Subscribed to everything, one needs
 * seq alone: the next counted event has the next one, an uncounted one (n is 0) repeats the last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { PATIENCE_MS = 3000, TEXT = 1 << 20 }; /* Three heartbeats; more than a message has. */

static char topic[256], body[TEXT], reply[TEXT];

/* Return the number behind the first "key": of json, or -1. */
static int64_t number(const char *json, const char *key)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *found = strstr(json, pattern);
    return found ? strtoll(found + strlen(pattern), NULL, 10) : -1;
}

/* Receive one frame as text; return whether it came in time. */
static int receive(void *socket, char *text, int size)
{
    int length = zmq_recv(socket, text, size - 1, 0);
    if (length >= 0)
        text[length < size ? length : size - 1] = '\0';
    return length >= 0;
}

/* Ask for the snapshot and print it; return the seq up to which it knows everything, -1 without an answer. */
static int64_t snapshot(void *context, const char *address)
{
    static const char request[] = "{\"v\":1,\"command\":\"snapshot\"}";
    void *req = zmq_socket(context, ZMQ_REQ); /* A new one each time: one that lost a reply is stuck. */
    int patience = PATIENCE_MS, linger = 0;
    zmq_setsockopt(req, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(req, ZMQ_LINGER, &linger, sizeof linger);
    zmq_connect(req, address);
    zmq_send(req, request, strlen(request), 0);
    int came = receive(req, reply, sizeof reply);
    zmq_close(req);
    if (came)
        printf("snapshot %s\n", reply);
    return came ? number(reply, "seq") : -1;
}

int main(void)
{
    const char *given = getenv("RTVOICE_RUNTIME_DIR"), *user = getenv("XDG_RUNTIME_DIR");
    char directory[110], events[160], control[160], run[10] = "", of[10];
    snprintf(directory, sizeof directory, given ? "%s" : "%s/rtvoice", given ? given : user ? user : "");
    snprintf(events, sizeof events, "ipc://%s/events.sock", directory);
    snprintf(control, sizeof control, "ipc://%s/control.sock", directory);
    setvbuf(stdout, NULL, _IOLBF, 0);

    void *context = zmq_ctx_new(), *sub = zmq_socket(context, ZMQ_SUB);
    int patience = PATIENCE_MS, welcomed = 0;
    int64_t known = -1; /* Nothing up to this seq is missing; -1: not joined. */
    zmq_setsockopt(sub, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0);
    zmq_connect(sub, events);

    for (;;) {
        if (!receive(sub, topic, sizeof topic)) {
            printf("silent: the daemon is gone, or stopped\n");
            continue;
        }
        receive(sub, body, sizeof body); /* All frames of a message come together. */
        const char *found = strstr(body, "\"run\":\"");
        snprintf(of, sizeof of, "%.8s", found ? found + 7 : "");
        if (strcmp(of, run)) { /* Another daemon than before. */
            memcpy(run, of, sizeof run);
            welcomed = 0, known = -1;
        }
        welcomed |= !strcmp(topic, "+welcome");
        if (known < 0) {
            if (welcomed) /* The subscription is in force: from here on nothing passes unnoticed. */
                known = snapshot(context, control);
            continue;
        }
        int64_t seq = number(body, "seq"), counted = number(body, "n") > 0;
        if (seq > known + counted) {
            printf("lost %" PRId64 "\n", seq - known - counted);
            known = snapshot(context, control); /* `replay` would give the events; this takes the new state. */
        } else if (counted && seq > known) {
            printf("%s %s\n", topic, body);
            known = seq;
        }
    }
}
