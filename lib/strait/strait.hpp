// SPDX-License-Identifier: MIT
/// strait in C++20: handles that close themselves, std::span for bytes, and co_await on a strait::Loop. Header-only; link
/// with the C library. Failures of opening throw strait::Error (the library's sentence); the calls that send and receive
/// return what the C calls return, >= 0 or -errno: on a fast path a full channel is no exception.
#ifndef STRAIT_HPP
#define STRAIT_HPP

// In C a function and a struct may have one name (strait_claim); g++ calls that shadowing.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <strait/strait.h>
#pragma GCC diagnostic pop

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__cpp_impl_coroutine)
#include <coroutine>
#include <exception>
#endif

namespace strait
{

/// -errno and the sentence that explains it.
class Error : public std::runtime_error
{
  public:
    Error(int error, const char *sentence)
        : std::runtime_error(sentence && *sentence ? sentence : strait_strerror(error)), code_(error)
    {
    }
    int code() const noexcept
    {
        return code_;
    }

  private:
    int code_;
};

inline constexpr std::uint64_t now = STRAIT_NOW;
inline constexpr std::uint64_t forever = STRAIT_FOREVER;

/// The deadline that lies `d` from now.
inline std::uint64_t after(std::chrono::nanoseconds d) noexcept
{
    return strait_after_ns(d.count() > 0 ? static_cast<std::uint64_t>(d.count()) : 0);
}

namespace detail
{
inline void check(int r, const char *sentence = nullptr)
{
    if (r < 0)
        throw Error(r, sentence ? sentence : strait_error());
}

template <auto close> struct Closer {
    template <class T> void operator()(T *handle) const noexcept
    {
        close(handle);
    }
};

template <class T, auto close> using Handle = std::unique_ptr<T, Closer<close>>;

inline std::uint32_t bytes_of(std::size_t n) noexcept
{
    return n > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(n);
}
} // namespace detail

/// An object's bytes, to send or to receive into.
template <class T>
requires std::is_trivially_copyable_v<T> std::span<const std::byte> bytes(const T &object)
noexcept
{
    return std::as_bytes(std::span<const T, 1>(&object, 1));
}

template <class T>
requires std::is_trivially_copyable_v<T> std::span<std::byte> writable_bytes(T &object)
noexcept
{
    return std::as_writable_bytes(std::span<T, 1>(&object, 1));
}

/// This process's attachment to a segment.
class Segment
{
  public:
    explicit Segment(const char *name, const strait_segment_options *options = nullptr)
    {
        strait_segment *s = nullptr;
        detail::check(strait_attach(name, options, &s));
        handle_.reset(s);
    }
    strait_segment *get() const noexcept
    {
        return handle_.get();
    }

  private:
    detail::Handle<strait_segment, strait_detach> handle_;
};

/// A message in place; its slot is given back when this goes.
class Message
{
  public:
    Message(strait_rx *rx, const strait_msg &msg) noexcept : rx_(rx), msg_(msg)
    {
    }
    Message(Message &&other) noexcept : rx_(std::exchange(other.rx_, nullptr)), msg_(other.msg_)
    {
    }
    Message &operator=(Message &&other) noexcept
    {
        release();
        rx_ = std::exchange(other.rx_, nullptr);
        msg_ = other.msg_;
        return *this;
    }
    ~Message()
    {
        release();
    }
    /// Where it is, until this goes.
    std::span<const std::byte> bytes() const noexcept
    {
        return {static_cast<const std::byte *>(msg_.data), msg_.bytes};
    }
    const strait_msg &info() const noexcept
    {
        return msg_;
    }
    void release() noexcept
    {
        if (rx_)
            strait_release(std::exchange(rx_, nullptr), &msg_);
    }

  private:
    strait_rx *rx_;
    strait_msg msg_;
};

#if defined(__cpp_impl_coroutine)
namespace detail
{
/// One op that a coroutine waits for; `start` fills in and starts it. Destroying a coroutine in the middle of a co_await
/// is not for this: cancel the op (or destroy the loop) and let the coroutine run on.
template <class Start> class Awaiter
{
  public:
    explicit Awaiter(Start start) : start_(std::move(start))
    {
    }
    Awaiter(const Awaiter &) = delete;
    Awaiter &operator=(const Awaiter &) = delete;
    bool await_ready() const noexcept
    {
        return false;
    }
    /// false: it could not be started, go on at once
    bool await_suspend(std::coroutine_handle<> who) noexcept
    {
        wait_.await.op.done = done;
        wait_.who = who;
        wait_.res = start_(&wait_.await);
        return wait_.res == 0;
    }
    int await_resume() const noexcept
    {
        return wait_.res;
    }

  private:
    struct Wait {
        strait_await await{}; // first: what `done` gets
        std::coroutine_handle<> who;
        int res = 0;
    };
    static void done(strait_op *op, int res)
    {
        Wait *wait = reinterpret_cast<Wait *>(op);
        wait->res = res;
        wait->who.resume();
    }
    Start start_;
    Wait wait_;
};
} // namespace detail

/// A coroutine that begins at once and that nobody waits for; an exception that leaves it ends the program.
struct Task {
    struct promise_type {
        Task get_return_object() const noexcept
        {
            return {};
        }
        std::suspend_never initial_suspend() const noexcept
        {
            return {};
        }
        std::suspend_never final_suspend() const noexcept
        {
            return {};
        }
        void return_void() const noexcept
        {
        }
        [[noreturn]] void unhandled_exception() const noexcept
        {
            std::terminate();
        }
    };
};
#endif

/// A loop; one thread. Coroutines that wait in it are resumed from step and run.
class Loop
{
  public:
    explicit Loop(std::uint32_t ops = 0)
    {
        strait_loop *loop = nullptr;
        detail::check(strait_loop_create(&loop, ops), strait_loop_why());
        handle_.reset(loop);
    }
    int step(std::uint64_t deadline_ns = forever)
    {
        return strait_loop_step(get(), deadline_ns);
    }
    int run(std::uint64_t deadline_ns = forever)
    {
        return strait_loop_run(get(), deadline_ns);
    }
    const char *backend() const noexcept
    {
        return strait_loop_backend(get());
    }
    strait_loop *get() const noexcept
    {
        return handle_.get();
    }

#if defined(__cpp_impl_coroutine)
    /// co_await loop.sleep(deadline): 0, or -ECANCELED.
    auto sleep(std::uint64_t when_ns)
    {
        return detail::Awaiter(
            [loop = get(), when_ns](strait_await *a) { return strait_op_timer(loop, &a->op, when_ns); });
    }
    /// co_await loop.blocking(f): f() on a thread of the process's pool; its value into *value. 0 or -errno.
    auto blocking(void *(*fn)(void *), void *arg, void **value, std::uint64_t deadline_ns = forever)
    {
        return detail::Awaiter([=, loop = get()](strait_await *a) {
            return strait_await_blocking(loop, a, nullptr, fn, arg, value, deadline_ns);
        });
    }
#endif

  private:
    detail::Handle<strait_loop, strait_loop_destroy> handle_;
};

/// A sender. One thread at a time.
class Tx
{
  public:
    Tx(const Segment &segment, const char *channel, const strait_channel_options *options = nullptr)
    {
        strait_tx *tx = nullptr;
        detail::check(strait_tx_open(segment.get(), channel, options, &tx));
        handle_.reset(tx);
    }
    int send(std::span<const std::byte> data, std::uint64_t deadline_ns = forever, std::uint16_t tag = 0)
    {
        return strait_send_tagged(get(), tag, data.data(), detail::bytes_of(data.size()), deadline_ns);
    }
    int try_send(std::span<const std::byte> data, std::uint16_t tag = 0)
    {
        return strait_try_send(get(), tag, data.data(), detail::bytes_of(data.size()));
    }
    strait_tx *get() const noexcept
    {
        return handle_.get();
    }

#if defined(__cpp_impl_coroutine)
    /// co_await tx.send(loop, bytes): as send; the bytes stay until then.
    auto send(Loop &loop, std::span<const std::byte> data, std::uint64_t deadline_ns = forever, std::uint16_t tag = 0)
    {
        return detail::Awaiter([=, tx = get(), l = loop.get()](strait_await *a) {
            return strait_await_send(l, a, tx, tag, data.data(), detail::bytes_of(data.size()), deadline_ns);
        });
    }
#endif

  private:
    detail::Handle<strait_tx, strait_tx_close> handle_;
};

/// A receiver. One thread at a time.
class Rx
{
  public:
    Rx(const Segment &segment, const char *channel, const strait_channel_options *options = nullptr)
    {
        strait_rx *rx = nullptr;
        detail::check(strait_rx_open(segment.get(), channel, options, &rx));
        handle_.reset(rx);
    }
    /// The message's length, or -errno.
    std::int64_t recv(std::span<std::byte> to, std::uint64_t deadline_ns = forever, strait_msg *info = nullptr)
    {
        return strait_recv_info(get(), to.data(), detail::bytes_of(to.size()), info, deadline_ns);
    }
    /// In place; throws Error where strait_peek fails.
    Message peek(std::uint64_t deadline_ns = forever)
    {
        strait_msg msg;
        detail::check(strait_peek(get(), &msg, deadline_ns), "");
        return Message(get(), msg);
    }
    /// For somebody else's loop (strait/fd.h): drain, arm, poll.
    int fd()
    {
        return strait_rx_fd(get());
    }
    int arm()
    {
        return strait_rx_arm(get());
    }
    strait_rx *get() const noexcept
    {
        return handle_.get();
    }

#if defined(__cpp_impl_coroutine)
    /// co_await rx.recv(loop, buffer): the message's length, or -errno.
    auto recv(Loop &loop, std::span<std::byte> to, std::uint64_t deadline_ns = forever, strait_msg *info = nullptr)
    {
        return detail::Awaiter([=, rx = get(), l = loop.get()](strait_await *a) {
            return strait_await_recv(l, a, rx, to.data(), detail::bytes_of(to.size()), info, deadline_ns);
        });
    }
#endif

  private:
    detail::Handle<strait_rx, strait_rx_close> handle_;
};

/// A locked region: unlocked when this goes. Data that are suspect and were not healed poison the region then.
class Lock
{
  public:
    explicit Lock(strait_region *region, std::uint64_t deadline_ns = forever) : region_(region)
    {
        int r = strait_region_lock(region, deadline_ns);
        if (r < 0)
            region_ = nullptr;
        detail::check(r);
        suspect_ = r == 1;
    }
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;
    ~Lock()
    {
        if (region_)
            strait_region_unlock(region_);
    }
    /// An owner died inside: repair the data, then heal().
    bool suspect() const noexcept
    {
        return suspect_;
    }
    void heal()
    {
        detail::check(strait_region_heal(region_));
        suspect_ = false;
    }

  private:
    strait_region *region_;
    bool suspect_ = false;
};

/// Shared bytes under a robust lock, seen as a T.
template <class T>
requires std::is_trivially_copyable_v<T>
class Region
{
  public:
    Region(const Segment &segment, const char *name, const T &initial = T{})
    {
        strait_region_options o{};
        strait_region *r = nullptr;
        o.bytes = sizeof(T);
        o.initial = &initial;
        detail::check(strait_region_open(segment.get(), name, &o, &r));
        handle_.reset(r);
    }
    Lock lock(std::uint64_t deadline_ns = forever)
    {
        return Lock(get(), deadline_ns);
    }
    /// Under the lock only.
    T &operator*() const noexcept
    {
        return *static_cast<T *>(strait_region_data(get()));
    }
    T *operator->() const noexcept
    {
        return &**this;
    }
    strait_region *get() const noexcept
    {
        return handle_.get();
    }

  private:
    detail::Handle<strait_region, strait_region_close> handle_;
};

} // namespace strait

#endif
