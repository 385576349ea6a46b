/* SPDX-License-Identifier: MIT */
/* shmctl hz: how much moves through one channel. */
#include <stdio.h>

#include "commands.h"
#include "sample.h"

static void print_hz(const struct ctl *ctl, double rate, double least, double most)
{
    if (ctl->json) {
        ctl_json_line(ctl);
        printf("\"per_second\": %.3f, \"least\": %.3f, \"most\": %.3f}\n", rate, least, most);
    } else {
        printf("%s/s (least %s, most %s)\n", ctl_rate_text(rate), ctl_rate_text(least), ctl_rate_text(most));
    }
    fflush(stdout);
}

static int run_hz(const struct ctl *ctl)
{
    double interval = ctl_seconds(ctl, "interval", 1), least = 1e300, most = 0;
    uint64_t times = ctl_number(ctl, "times", UINT64_MAX, 1, UINT64_MAX);
    struct ctl_samples before = {.channel = ctl->word[1]}, now = {.channel = ctl->word[1]};
    struct strait_object o;
    struct ctl_segment s;
    int r = ctl_open(ctl, ctl->word[0], &s);

    if (r != CTL_GOOD)
        return r;
    r = ctl_object(&s, ctl->word[1], STRAIT_KIND_CHANNEL, &o);
    ctl_catch_signals();
    ctl_sample(ctl, &s, &before);
    while (r == CTL_GOOD && times-- && !ctl_stop) {
        double rate;
        ctl_sleep(interval);
        ctl_samples_free(&now);
        ctl_sample(ctl, &s, &now);
        if (before.n == 0 || now.n == 0) {
            ctl_say("the channel has gone, or is damaged");
            r = CTL_FINDING;
            break;
        }
        rate = ctl_sample_rate(&before.sample[0], &now.sample[0], true);
        least = rate < least ? rate : least;
        most = rate > most ? rate : most;
        print_hz(ctl, rate, least, most);
        before.sample[0] = now.sample[0];
    }
    ctl_samples_free(&before);
    ctl_samples_free(&now);
    ctl_close(&s);
    return r;
}

const struct ctl_command ctl_hz = {
    .name = "hz",
    .arguments = "NAME CHANNEL",
    .summary = "How many messages a second a channel carries",
    .help = "Exact, not sampled: from the turns of the slots.\n"
            "\n"
            "  shmctl hz demo jobs\n"
            "  shmctl hz demo jobs --times 1 --json | jq .per_second\n",
    .least = 2,
    .most = 2,
    .run = run_hz,
    .options = (const struct ctl_option[]){{"interval", 'i', "S", "seconds; default 1"},
                                           {"times", 'n', "N", "so many lines, then end"},
                                           {NULL}},
};
