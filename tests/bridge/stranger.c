/* SPDX-License-Identifier: MIT */
/**
 * Somebody on the same server who is no bridge, and says what he likes. HEADER is the value of the header Strait, - for none.
 *
 *   stranger URL say SUBJECT HEADER TEXT         publishes
 *   stranger URL ask SUBJECT HEADER TEXT         "HEADER TEXT" of the answer, or "nothing"
 *   stranger URL serve SUBJECT HEADER [REQUEST]  "ready"; to each request of the queue group the answer HEADER; with REQUEST, only
 *                                                to those whose header begins so, and B to others; "asked HEADER" for each
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nats/nats.h>

#define PATIENCE_MS 5000

static natsConnection *connection;
static char *const *word;

static int say(natsStatus e, const char *what)
{
    fprintf(stderr, "stranger: %s: %s\n", what, natsStatus_GetText(e));
    return 1;
}

static const char *header_of(natsMsg *msg)
{
    const char *value;

    return natsMsgHeader_Get(msg, "Strait", &value) == NATS_OK ? value : "-";
}

static natsStatus make(natsMsg **msg, const char *subject, const char *header, const char *text)
{
    natsStatus e = natsMsg_Create(msg, subject, NULL, text, (int)strlen(text));

    if (e == NATS_OK && strcmp(header, "-") != 0)
        e = natsMsgHeader_Set(*msg, "Strait", header);
    return e;
}

static int publish(const char *subject, const char *header, const char *text)
{
    natsMsg *msg = NULL;
    natsStatus e = make(&msg, subject, header, text);

    if (e == NATS_OK)
        e = natsConnection_PublishMsg(connection, msg);
    if (e == NATS_OK)
        e = natsConnection_Flush(connection);
    natsMsg_Destroy(msg);
    return e == NATS_OK ? 0 : say(e, "publish");
}

static int ask(const char *subject, const char *header, const char *text)
{
    natsMsg *msg = NULL, *answer = NULL;
    natsStatus e = make(&msg, subject, header, text);

    if (e == NATS_OK)
        e = natsConnection_RequestMsg(&answer, connection, msg, PATIENCE_MS);
    if (e == NATS_OK)
        printf("%s %.*s\n", header_of(answer), natsMsg_GetDataLength(answer), natsMsg_GetData(answer));
    else
        printf("nothing: %s\n", natsStatus_GetText(e));
    natsMsg_Destroy(msg);
    natsMsg_Destroy(answer);
    return 0;
}

static void answer(natsConnection *c, natsSubscription *subscription, natsMsg *msg, void *closure)
{
    bool mine = word[5] == NULL || strncmp(header_of(msg), word[5], strlen(word[5])) == 0;

    (void)c;
    (void)subscription;
    (void)closure;
    printf("asked %s\n", header_of(msg));
    fflush(stdout);
    publish(natsMsg_GetReply(msg), mine ? word[4] : "B", "");
    natsMsg_Destroy(msg);
}

static int serve(const char *subject)
{
    natsSubscription *subscription;
    natsStatus e = natsConnection_QueueSubscribe(&subscription, connection, subject, "strait", answer, NULL);

    if (e == NATS_OK)
        e = natsConnection_Flush(connection);
    if (e != NATS_OK)
        return say(e, "subscribe");
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    natsStatus e;
    int r = 2;

    if (argc < 5)
        return 2;
    word = argv;
    e = natsConnection_ConnectTo(&connection, argv[1]);
    if (e != NATS_OK)
        return say(e, "connect");
    if (strcmp(argv[2], "say") == 0 && argc == 6)
        r = publish(argv[3], argv[4], argv[5]);
    else if (strcmp(argv[2], "ask") == 0 && argc == 6)
        r = ask(argv[3], argv[4], argv[5]);
    else if (strcmp(argv[2], "serve") == 0)
        r = serve(argv[3]);
    natsConnection_Destroy(connection);
    return r;
}
