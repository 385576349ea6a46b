// SPDX-License-Identifier: MIT
// strait.hpp: handles close themselves, failures speak, coroutines wait. Built by `cxx` with each compiler that is here.
#include <strait/strait.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define CHECK(cond) ((cond) ? (void)0 : fail(__LINE__, #cond))

[[noreturn]] static void fail(int line, const char *what)
{
    std::printf("hpp_test.cpp:%d: %s (%s)\n", line, what, strait_error());
    std::exit(1);
}

struct Counters {
    int hits, misses;
};

static void channels()
{
    strait::Segment segment("hpp");
    strait::Rx rx(segment, "c");
    {
        strait::Tx tx(segment, "c");
        int sent = 7, got = 0;
        CHECK(tx.send(strait::bytes(sent)) == 0);
        CHECK(rx.recv(strait::writable_bytes(got)) == sizeof got && got == 7);
        CHECK(rx.recv(strait::writable_bytes(got), strait::now) == -EAGAIN);
        CHECK(tx.try_send(strait::bytes(sent), 3) == 0);
        strait::Message m = rx.peek();
        CHECK(m.bytes().size() == sizeof sent && std::memcmp(m.bytes().data(), &sent, sizeof sent) == 0);
        CHECK(m.info().tag == 3);
        strait::Message moved = std::move(m);
        CHECK(moved.bytes().size() == sizeof sent);
    } // released, and the sender has left
    std::array<std::byte, 48> any;
    CHECK(rx.recv(any, strait::after(std::chrono::seconds(10))) == -EPIPE);
    try {
        rx.peek(strait::now);
        CHECK(false);
    } catch (const strait::Error &e) {
        CHECK(e.code() == -EPIPE && *e.what());
    }
}

static void regions()
{
    strait::Segment segment("hpp");
    strait::Region<Counters> counters(segment, "r", {1, 2});
    {
        strait::Lock lock = counters.lock();
        CHECK(!lock.suspect());
        counters->hits++;
        try {
            strait::Region<Counters> again(segment, "r");
            strait::Lock second = again.lock(strait::now);
            CHECK(false);
        } catch (const strait::Error &e) {
            CHECK(e.code() == -EAGAIN || e.code() == -EDEADLK);
        }
    }
    strait::Lock lock = counters.lock(strait::now);
    CHECK((*counters).hits == 2 && counters->misses == 2);
}

static void errors()
{
    strait_segment_options o{};
    o.attach = STRAIT_OPEN_ONLY;
    try {
        strait::Segment none("not-there", &o);
        CHECK(false);
    } catch (const strait::Error &e) {
        CHECK(e.code() == -ENOENT && std::strstr(e.what(), "not-there"));
    }
}

#if defined(__cpp_impl_coroutine)
static void *square(void *arg)
{
    auto n = reinterpret_cast<std::intptr_t>(arg);
    return reinterpret_cast<void *>(n * n);
}

// 1, 4, 9, … computed on the pool, sent through a channel of two slots
static strait::Task produce(strait::Loop &loop, strait::Tx &tx, int n)
{
    for (int i = 1; i <= n; i++) {
        void *value = nullptr;
        CHECK(co_await loop.blocking(square, reinterpret_cast<void *>(std::intptr_t{i}), &value) == 0);
        std::intptr_t result = reinterpret_cast<std::intptr_t>(value);
        CHECK(co_await tx.send(loop, strait::bytes(result)) == 0);
    }
}

static strait::Task consume(strait::Loop &loop, strait::Rx &rx, int n, std::intptr_t &sum, int &last)
{
    for (int i = 0; i < n; i++) {
        std::intptr_t got = 0;
        CHECK(co_await rx.recv(loop, strait::writable_bytes(got)) == sizeof got);
        sum += got;
    }
    std::array<std::byte, 48> any;
    last = co_await rx.recv(loop, any, strait::after(std::chrono::milliseconds(5)));
    CHECK(last == -ETIMEDOUT);
    last = co_await rx.recv(loop, any); // until the loop goes
}

static void coroutines()
{
    strait::Segment segment("hpp");
    strait_channel_options two{};
    two.depth = 2;
    strait::Tx tx(segment, "d", &two);
    strait::Rx rx(segment, "d");
    std::intptr_t sum = 0;
    int last = 1;
    {
        strait::Loop loop;
        consume(loop, rx, 100, sum, last);
        produce(loop, tx, 100);
        const std::uint64_t patience = strait::after(std::chrono::seconds(20));
        while (last != -ETIMEDOUT) // then the last recv is in flight
            CHECK(loop.step(patience) > 0);
        CHECK(sum == 338350);
        CHECK(loop.backend() && last == -ETIMEDOUT);
    }
    CHECK(last == -ECANCELED);
}
#else
static void coroutines()
{
    std::puts("this compiler has no coroutines");
}
#endif

int main()
{
    channels();
    regions();
    errors();
    coroutines();
    std::puts("ok");
}
