/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is otherwise for kernels before 5.13, for which all of bpf/ is compiled once more
 * (OLD_VERIFIER). Their verifiers take no pointers into global functions. So those that a hit calls
 * get numbers alone there, and find the hit, its part and its socket in a place of the processor
 * (place.bpf.h): the names below leave the pointers out of declarations, definitions and calls
 * alike. The others (OLD_STATIC) are no global functions there, and are verified with each caller.
 */
#ifndef SONDE_OLD_BPF_H
#define SONDE_OLD_BPF_H

#ifdef OLD_VERIFIER

int frames_step(void);
int head_border(void);
int line_pipelined(void);
int line_unreadable(void);
int message_unread(void);
int vector_frames(void);
int window_gather(void);

#define early_begin(hit, c, p, kind, row)   early_begin(kind, row)
#define early_look(hit, c, p, kind)	    early_look(kind)
#define frames_step(hit, w)		    frames_step()
#define frames_walk(hit, w, readable)	    frames_walk(readable)
#define head_border(head)		    head_border()
#define head_follows_large(head, captured)  head_follows_large(captured)
#define head_follows_small(head, captured)  head_follows_small(captured)
#define line_again(hit, c, p, kind)	    line_again(kind)
#define line_begins(hit, c, p, kind)	    line_begins(kind)
#define line_part(hit, c, p, kind)	    line_part(kind)
#define line_rest(hit, c, p, kind)	    line_rest(kind)
#define line_unreadable(hit, c)		    line_unreadable()
#define line_pipelined(hit, c, p)	    line_pipelined()
#define message_end(hit, c, over)	    message_end(over)
#define message_more_1024(hit, c, p, kind)  message_more_1024(kind)
#define message_more_128(hit, c, p, kind)   message_more_128(kind)
#define message_more_4096(hit, c, p, kind)  message_more_4096(kind)
#define message_start_1024(hit, c, p, kind) message_start_1024(kind)
#define message_start_128(hit, c, p, kind)  message_start_128(kind)
#define message_start_4096(hit, c, p, kind) message_start_4096(kind)
#define message_start_512(hit, c, p, kind)  message_start_512(kind)
#define message_unread(hit, c)		    message_unread()
#define tail_far(hit, left, most)	    tail_far(left, most)
#define vector_frames(hit, h)		    vector_frames()
#define vector_part(hit, p, i)		    vector_part(i)
#define window_gather(hit, c)		    window_gather()

#define OLD_STATIC __attribute__((visibility("hidden")))

/* The current task is an address there, which may only be looked at. */
#define task_current() ((struct task_struct *)bpf_get_current_task())
#define task_get(from, field)                \
	({                                   \
		typeof(from) from_ = (from); \
		BPF_CORE_READ(from_, field); \
	})
#define task_regs(task)	    NULL
#define URING_IS_READ	    false
#define SYSCALL_ALONE	    true /* the hooks of the other backends are empty */
#define OLD_ONLY(statement) statement

#else

#define OLD_STATIC

#define task_current()	      bpf_get_current_task_btf()
#define task_get(from, field) ((from)->field)
#define task_regs(task)	      ((struct pt_regs *)bpf_task_pt_regs(task))
#define URING_IS_READ	      true
#define SYSCALL_ALONE	      false
#define OLD_ONLY(statement)

#endif

#endif
