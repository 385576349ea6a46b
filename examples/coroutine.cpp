// SPDX-License-Identifier: MIT
// Two coroutines in one loop: one prints greetings as they come, one counts the time until they end.
#include <strait/strait.hpp>

#include <array>
#include <cstdio>

static strait::Task receive(strait::Loop &loop, strait::Rx &rx, bool &over)
{
    std::array<std::byte, 48> text{};
    int n;
    while ((n = co_await rx.recv(loop, text)) >= 0)
        std::printf("%.*s\n", n, reinterpret_cast<const char *>(text.data()));
    over = true; // -EPIPE: the last sender has left
}

static strait::Task count(strait::Loop &loop, const bool &over)
{
    int ticks = 0;
    while (!over) {
        co_await loop.sleep(strait::after(std::chrono::milliseconds(1)));
        ticks++;
    }
    std::puts(ticks > 0 ? "over" : "over at once");
}

int main()
try {
    strait::Loop loop;
    strait::Segment segment("hello");
    strait::Rx rx(segment, "greetings");
    bool over = false;
    receive(loop, rx, over);
    count(loop, over);
    std::puts("waiting");
    std::fflush(stdout);
    return loop.run();
} catch (const strait::Error &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
