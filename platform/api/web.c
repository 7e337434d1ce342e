/* SPDX-License-Identifier: Apache-2.0 */
#include "api_priv.h"
#include "platform/web/web.h"

void
cw_api_page(struct cw_hreq *r)
{
	cw_hreq_static(r, "text/html; charset=utf-8", cw_web_index_html.etag,
	    cw_web_index_html.buf, cw_web_index_html.len);
}

void
cw_api_page_js(struct cw_hreq *r)
{
	cw_hreq_static(r, "text/javascript; charset=utf-8", cw_web_app_js.etag,
	    cw_web_app_js.buf, cw_web_app_js.len);
}

void
cw_api_page_css(struct cw_hreq *r)
{
	cw_hreq_static(r, "text/css; charset=utf-8", cw_web_app_css.etag,
	    cw_web_app_css.buf, cw_web_app_css.len);
}

void
cw_api_page_icon(struct cw_hreq *r)
{
	cw_hreq_static(r, "image/svg+xml", cw_web_icon_svg.etag,
	    cw_web_icon_svg.buf, cw_web_icon_svg.len);
}
